// Conveniences; every page works without them.
(() => {
  document.documentElement.classList.add("scripted");

  for (const field of document.querySelectorAll("[data-submit]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }

  for (const box of document.querySelectorAll("[data-remember]")) {
    const key = `roi-${box.id}`;
    try {
      box.checked = localStorage.getItem(key) === "true";
      box.addEventListener("change", () => localStorage.setItem(key, box.checked));
    } catch {
      // Without storage the choice lasts until the page is left.
    }
  }

  // A frame may not navigate Airflow's page, but a link inside that page may.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const twin = window.parent.document.createElement("a");
    twin.href = link.href;
    window.parent.document.body.append(twin);
    twin.click();
    twin.remove();
  });

  const search = document.querySelector("form[data-live]");
  if (search) {
    let pause;
    let newest = 0;
    const show = async () => {
      const number = ++newest;
      const address = `${location.pathname}?${new URLSearchParams(new FormData(search))}`;
      const answer = await fetch(address, { credentials: "same-origin" });
      if (!answer.ok) return location.assign(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const list = page.getElementById("list");
      if (number !== newest) return;
      if (!list) return location.assign(address);
      document.getElementById("list").replaceWith(list);
      history.replaceState(null, "", address);
    };
    search.addEventListener("input", (event) => {
      if (!event.target.name) return;
      clearTimeout(pause);
      pause = setTimeout(show, 150);
    });
    search.addEventListener("submit", (event) => {
      event.preventDefault();
      show();
    });
  }
})();
