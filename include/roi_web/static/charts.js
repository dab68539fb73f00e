// Replaces a drawing that has data (roi_web/explorable) by a chart to explore, drawn by Apache ECharts.
(() => {
  const DAY = 86_400_000;
  // Room for half a bar before the first date and after the last.
  const EDGE = DAY / 2;
  const PERIODS = [["1 month", 31], ["6 months", 183], ["1 year", 366], ["5 years", 1827]];
  const HINT = "Arrow keys read the values, Page Up and Page Down go further, plus and minus zoom, Escape leaves.";

  const time = (text) => Date.parse(`${text}T00:00:00Z`);
  const isoDay = (value) => new Date(value).toISOString().slice(0, 10);
  const part = (value, options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }).format(value);
  const wholeDay = (value) =>
    `${part(value, { weekday: "short" })} ${part(value, { day: "numeric" })} ${part(value, { month: "short" }).slice(0, 3)} ${part(value, { year: "numeric" })}`;

  const element = (name, properties, ...content) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...content);
    return made;
  };

  // The colour that a variable of roi.css has in the present mode.
  const colours = (host) => {
    const probe = host.appendChild(document.createElement("i"));
    const found = new Proxy({}, {
      get: (_, name) => {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
      },
    });
    return [found, () => probe.remove()];
  };

  class Explorable {
    constructor(figure, data) {
      this.figure = figure;
      this.data = data;
      this.times = data.dates.map(time);
      this.stops = [...new Set(this.times)];
      this.first = this.stops[0];
      this.last = this.stops.at(-1);
      this.shown = [data.first_shown ? time(data.first_shown) : this.first, this.last];
      const format = (options) => {
        const numbers = new Intl.NumberFormat("en", { signDisplay: data.signed ? "exceptZero" : "negative", ...options });
        return (value) => numbers.format(value).replace("-", "\u2212");
      };
      this.number = format({ minimumFractionDigits: data.digits, maximumFractionDigits: data.digits });
      this.tick = format({ maximumFractionDigits: data.digits });
      this.build();
      this.chart = echarts.init(this.plot, null, { renderer: "canvas" });
      this.draw();
      this.listen();
    }

    build() {
      const drawing = this.figure.querySelector("svg");
      const id = `chart-${[...document.querySelectorAll("figure")].indexOf(this.figure)}`;
      this.plot = element("div", { className: "plot", tabIndex: 0 });
      this.plot.setAttribute("role", "application");
      this.plot.setAttribute("aria-roledescription", "chart to explore");
      this.plot.setAttribute("aria-label", drawing.getAttribute("aria-label"));
      this.plot.setAttribute("aria-describedby", id);
      this.hint = element("p", { className: "hint", id }, HINT);
      this.said = element("p", { className: "unseen" });
      this.said.setAttribute("aria-live", "polite");
      const field = (words, value) => {
        const input = element("input", { type: "date", min: isoDay(this.first), max: isoDay(this.last), value });
        return [input, element("label", { className: "field" }, words, input)];
      };
      const [since, sinceField] = field("From", isoDay(this.shown[0]));
      const [until, untilField] = field("to", isoDay(this.shown[1]));
      [this.since, this.until] = [since, until];
      const button = (words, name, act) => {
        const made = element("button", { type: "button" }, words);
        if (name) made.setAttribute("aria-label", name);
        made.addEventListener("click", act);
        return made;
      };
      const lasting = PERIODS.filter(([, days]) => this.last - this.first > days * DAY);
      const periods = [
        ...lasting.map(([words, days]) => button(words, null, () => this.show(this.last - days * DAY, this.last))),
        button("All", null, () => this.show(this.first, this.last)),
      ];
      const tools = element(
        "div", { className: "chart-tools" },
        element("span", { className: "buttons" }, ...periods),
        sinceField, untilField,
        element(
          "span", { className: "buttons" },
          button("+", "Zoom in", () => this.zoom(0.5)),
          button("\u2212", "Zoom out", () => this.zoom(2)),
          button("Download picture", null, () => this.download()),
        ),
      );
      tools.setAttribute("role", "group");
      tools.setAttribute("aria-label", `Dates shown: ${this.data.title}`);
      drawing.replaceWith(tools, this.plot, this.hint, this.said);
    }

    draw() {
      const { data } = this;
      const [colour, done] = colours(this.figure);
      const percent = data.unit === "%";
      const text = { color: colour.quiet, fontFamily: getComputedStyle(this.figure).fontFamily };
      const axis = { axisLine: { lineStyle: { color: colour.line } }, axisTick: { show: false }, splitLine: { show: false } };
      // What the slider sketches is the first series, and what is last in the data lies on top.
      const isRange = (each) => each.kind === "band" || each.kind === "intervals";
      const layers = data.series.map((each, z) => ({ ...each, z: z + 2 }));
      const series = layers.toSorted((a, b) => isRange(a) - isRange(b)).flatMap((each) => this.series(each, colour));
      if (data.level) {
        series.push({
          type: "line", data: [], silent: true, name: data.level.name,
          markLine: {
            silent: true, symbol: "none", animation: false,
            data: [{ yAxis: data.level.value }],
            lineStyle: { color: colour.ink, type: "solid", width: 1.5 },
            label: { formatter: data.level.name, position: "insideStartTop", ...text, color: colour.ink, backgroundColor: colour.paper, padding: [2, 4] },
          },
        });
      }
      const names = data.series.map((each) => each.name);
      const width = names.reduce((sum, name) => sum + 7 * name.length + 36, 0);
      const lines = names.length < 2 ? 0 : Math.ceil((1.1 * width) / this.plot.clientWidth);
      const option = {
        animation: false, useUTC: true,
        textStyle: text,
        legend: names.length < 2 ? { show: false } : {
          data: data.series.map(({ name, kind, colour: of }) => ({ name, icon: kind !== "points" ? "roundRect" : of === "miss" ? "diamond" : "circle" })),
          selectedMode: false, left: 0, top: 4, padding: 0, itemWidth: 14, itemHeight: 9, itemGap: 14, textStyle: text,
        },
        grid: { left: 4, right: 14, top: 20 * lines + (percent ? 14 : 30), bottom: 52, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
        xAxis: { type: "time", ...axis, axisLabel: { ...text, hideOverlap: true, formatter: { year: "{yyyy}", month: "{MMM} {yyyy}", day: "{d} {MMM}" } }, min: this.first - EDGE, max: this.last + EDGE },
        yAxis: {
          type: "value", ...axis, scale: !data.limits,
          min: data.limits?.[0], max: data.limits?.[1],
          name: percent ? "" : data.unit, nameLocation: "end", nameGap: 10,
          nameTextStyle: { ...text, align: "left", padding: [0, 0, 0, -6] },
          axisLabel: { ...text, formatter: (value) => this.tick(value) + (percent ? " %" : "") },
          splitLine: { show: true, lineStyle: { color: colour.line } },
        },
        tooltip: {
          trigger: "axis", renderMode: "html", confine: true, transitionDuration: 0, className: "chart-values",
          backgroundColor: colour.paper, borderColor: colour.line, borderWidth: 1, padding: 10, textStyle: { color: colour.ink, fontSize: 13 },
          axisPointer: { type: "line", animation: false, lineStyle: { color: colour.quiet, type: "dashed" } },
          formatter: (points) => this.values(this.nearest(points[0].axisValue)),
        },
        dataZoom: [
          { type: "inside", startValue: this.shown[0] - EDGE, endValue: this.shown[1] + EDGE, filterMode: "filter", minValueSpan: 5 * DAY, preventDefaultMouseMove: false },
          { type: "slider", startValue: this.shown[0] - EDGE, endValue: this.shown[1] + EDGE, filterMode: "filter", minValueSpan: 5 * DAY,
            height: 24, bottom: 4, left: 12, right: 12, showDetail: false, brushSelect: false,
            borderColor: colour.line, fillerColor: "transparent", handleStyle: { color: colour.paper, borderColor: colour.quiet },
            moveHandleStyle: { color: colour.quiet }, dataBackground: { lineStyle: { color: colour.quiet }, areaStyle: { color: colour.line } },
            selectedDataBackground: { lineStyle: { color: colour.price }, areaStyle: { color: colour.wide, opacity: 1 } } },
        ],
        series,
      };
      done();
      this.chart.setOption(option, true);
    }

    series(each, colour) {
      const common = { name: each.name, z: each.z, silent: true, showSymbol: false, itemStyle: { color: colour[each.colour], opacity: each.pale ? 0.5 : 1 } };
      const line = { ...common, type: "line", lineStyle: { color: colour[each.colour], width: 1.6 } };
      const known = (column) => this.times.flatMap((at, row) => (column[row] === null ? [] : [[at, column[row], row]]));
      switch (each.kind) {
        case "line": return [{ ...line, data: known(each.values) }];
        case "dashed": return [{ ...line, lineStyle: { ...line.lineStyle, type: [3, 3] }, showSymbol: known(each.values).length < 40, symbolSize: 5, symbol: "circle", data: known(each.values) }];
        case "bars": return [{ ...common, type: "bar", barCategoryGap: "15%", barMaxWidth: 24, data: known(each.values) }];
        case "points": return [{ ...common, type: "scatter", symbol: each.colour === "miss" ? "diamond" : "circle", symbolSize: each.colour === "miss" ? 9 : 7, itemStyle: { color: colour[each.colour], borderColor: colour.paper, borderWidth: 1, opacity: 1 }, data: known(each.values) }];
        case "band": {
          const lower = known(each.lower);
          const stack = { ...line, stack: each.name, stackStrategy: "all", lineStyle: { opacity: 0 } };
          return [
            { ...stack, name: "", data: lower },
            { ...stack, areaStyle: { color: colour[each.colour], opacity: 1 }, data: lower.map(([at, low, row]) => [at, each.upper[row] - low, row]) },
          ];
        }
        // A line with gaps: an upright stroke for each row, however many rows a date has.
        case "intervals": return [{
          ...line, lineStyle: { color: colour[each.colour], width: this.strokes(), opacity: each.pale ? 0.5 : 1 },
          data: known(each.lower).flatMap(([at, low, row]) => [[at, low], [at, each.upper[row]], [at, null]]),
        }];
      }
    }

    // The width of a stroke, so that those of neighbouring days leave a gap where there is room.
    strokes() {
      const days = (this.shown[1] - this.shown[0]) / DAY + 1;
      return Math.max(1, Math.min(5, (0.6 * (this.plot.clientWidth - 60)) / days));
    }

    nearest(at) {
      return this.stops.reduce((best, stop) => (Math.abs(stop - at) < Math.abs(best - at) ? stop : best));
    }

    // Whether a dashed line only starts here, at a value of a line: it forecasts nothing of this date.
    opens(each, row) {
      return each.kind === "dashed" && this.data.series.some((other) => other.kind === "line" && other.values[row] !== null && other.values[row] === each.values[row]);
    }

    // One list of [name, value] for each row of a date, and its note.
    rows(at) {
      const unit = this.data.unit ? ` ${this.data.unit}` : "";
      return this.times.flatMap((other, row) => (other !== at ? [] : [{
        note: this.data.notes[row] ?? null,
        pairs: this.data.series.toReversed().flatMap((each) => {
          if (this.opens(each, row)) return [];
          if (each.values) return each.values[row] === null ? [] : [[each.name, this.number(each.values[row]) + unit]];
          return each.lower[row] === null || each.lower[row] === each.upper[row] ? [] : [[each.name, `${this.number(each.lower[row])} to ${this.number(each.upper[row])}${unit}`]];
        }),
      }]));
    }

    values(at) {
      const rows = this.rows(at);
      return [
        element("p", { className: "quiet" }, wholeDay(at)),
        ...rows.flatMap(({ pairs, note }) => [
          element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
          ...(note ? [element("p", {}, note)] : []),
        ]),
      ];
    }

    say(at) {
      const rows = this.rows(at).map(({ pairs, note }) => [...pairs.map((pair) => pair.join(" ")), ...(note ? [note] : [])].join(", "));
      this.said.textContent = `${wholeDay(at)}: ${rows.join("; ")}`;
    }

    show(from, to) {
      const span = Math.max(to - from, 5 * DAY);
      const start = Math.min(Math.max(from, this.first), Math.max(this.first, this.last - span));
      this.chart.dispatchAction({ type: "dataZoom", startValue: start - EDGE, endValue: Math.min(start + span, this.last) + EDGE });
    }

    zoom(factor) {
      const [from, to] = this.shown;
      const middle = this.at >= from && this.at <= to ? this.at : (from + to) / 2;
      this.show(middle - (middle - from) * factor, middle + (to - middle) * factor);
      if (this.at !== undefined) this.point();
    }

    point() {
      const [from, to] = this.shown;
      if (this.at < from) this.show(this.at, this.at + (to - from));
      if (this.at > to) this.show(this.at - (to - from), this.at);
      const x = this.chart.convertToPixel({ xAxisIndex: 0 }, this.at);
      this.chart.dispatchAction({ type: "showTip", x, y: this.plot.clientHeight / 2 });
    }

    step(by) {
      const shown = this.stops.filter((at) => at >= this.shown[0] && at <= this.shown[1]);
      const start = this.at ?? shown.at(-1) ?? this.last;
      // The first arrow reads the last value shown.
      const index = this.stops.indexOf(start) + (this.at === undefined && Math.abs(by) === 1 ? 0 : by);
      this.at = this.stops[Math.min(Math.max(index, 0), this.stops.length - 1)];
      this.point();
      this.say(this.at);
    }

    leave() {
      this.at = undefined;
      this.said.textContent = "";
      this.chart.dispatchAction({ type: "hideTip" });
    }

    listen() {
      const keys = {
        ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
        PageUp: () => this.step(-20), PageDown: () => this.step(20),
        Home: () => this.step(-Infinity), End: () => this.step(Infinity),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        Escape: () => this.plot.blur(),
      };
      this.plot.addEventListener("keydown", (event) => {
        if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        keys[event.key]();
      });
      this.plot.addEventListener("blur", () => this.leave());
      // The wheel scrolls the page unless the chart has the focus or Control is held, as by a pinch.
      for (const name of ["wheel", "mousewheel"]) {
        const pass = (event) => {
          if (document.activeElement !== this.plot && !event.ctrlKey) event.stopPropagation();
        };
        this.plot.addEventListener(name, pass, { capture: true, passive: true });
      }
      for (const field of [this.since, this.until]) {
        field.addEventListener("change", () => {
          const [from, to] = [time(this.since.value), time(this.until.value)];
          if (from && to) this.show(Math.min(from, to), Math.max(from, to));
        });
      }
      // Drawing closes the values, which a reader by keyboard still needs.
      const redraw = () => {
        this.draw();
        if (this.at !== undefined) this.point();
      };
      let pending;
      this.chart.on("datazoom", () => {
        const { startValue, endValue } = this.chart.getOption().dataZoom[0];
        this.shown = [startValue + EDGE, endValue - EDGE];
        this.since.value = isoDay(this.shown[0]);
        this.until.value = isoDay(this.shown[1]);
        if (!this.data.series.some((each) => each.kind === "intervals")) return;
        clearTimeout(pending);
        pending = setTimeout(redraw, 100);
      });
      new ResizeObserver(() => {
        this.chart.resize();
        redraw();
      }).observe(this.plot);
      new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    }

    async download() {
      const [colour, done] = colours(this.figure);
      const [paper, ink, quiet] = [colour.paper, colour.ink, colour.quiet];
      done();
      const scale = 2;
      const picture = new Image();
      picture.src = this.chart.getDataURL({ type: "png", pixelRatio: scale, backgroundColor: paper, excludeComponents: ["dataZoom"] });
      await picture.decode();
      const head = 56 * scale;
      const canvas = element("canvas", { width: picture.width, height: picture.height + head });
      const context = canvas.getContext("2d");
      const family = getComputedStyle(this.figure).fontFamily;
      context.fillStyle = paper;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(picture, 0, head);
      const write = (words, size, y, fill) => {
        context.fillStyle = fill;
        context.font = `${size * scale}px ${family}`;
        context.fillText(words, 12 * scale, y * scale, canvas.width - 24 * scale);
      };
      write(this.data.title, 16, 24, ink);
      write(`${wholeDay(this.shown[0])} to ${wholeDay(this.shown[1])}${document.querySelector(".simulated") ? ", simulated prices" : ""}`, 12, 44, quiet);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
      const name = this.data.title.replace(/[^\w.=^-]+/g, "-");
      const link = element("a", { href: URL.createObjectURL(blob), download: `${name}_${isoDay(this.shown[0])}_${isoDay(this.shown[1])}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }
  }

  const read = async (figure) => {
    const inside = figure.querySelector('script[type="application/json"]');
    if (inside) return JSON.parse(inside.textContent);
    const answer = await fetch(figure.dataset.chart, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return answer.json();
  };

  for (const figure of document.querySelectorAll("figure:is([data-chart], :has(> script))")) {
    read(figure)
      .then((data) => {
        if (data.dates.length > 1) new Explorable(figure, data);
      })
      .catch((error) => {
        figure.append(element("p", { className: "note" }, `The chart to explore cannot be shown (${error.message}); reload the page to try again.`));
      });
  }
})();
