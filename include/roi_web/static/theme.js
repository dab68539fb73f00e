// Follows Airflow's light or dark mode; outside Airflow, the system's.
(() => {
  const html = document.documentElement;
  const airflow = (() => {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null;
    }
  })();
  if (!airflow) return;
  const follow = () => {
    if (airflow.classList.contains("dark")) html.dataset.theme = "dark";
    else if (airflow.classList.contains("light")) html.dataset.theme = "light";
  };
  follow();
  new MutationObserver(follow).observe(airflow, { attributeFilter: ["class"] });
})();
