// <tokenroof-chart>: a Chart.js canvas that follows its property and the colour scheme.

import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartConfiguration,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
} from "chart.js";
import type { Bars, Groups, Lines, Roofline } from "../../report/report_types";
import { barsConfig } from "./bars";
import { groupsConfig, groupsHeight } from "./groups";
import { linesConfig } from "./lines";
import { rooflineConfig } from "./roofline";
import { type Theme, themeOf } from "./theme";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
);

type Drawn = Bars | Groups | Roofline | Lines;

function configOf(chart: Drawn, theme: Theme, narrow: boolean): ChartConfiguration {
  switch (chart.kind) {
    case "bars":
      return barsConfig(chart, theme, narrow);
    case "groups":
      return groupsConfig(chart, theme, narrow);
    case "roofline":
      return rooflineConfig(chart, theme, narrow);
    case "lines":
      return linesConfig(chart, theme, narrow);
  }
}

class ChartElement extends HTMLElement {
  #chart: Drawn | undefined;
  #drawn: Chart | undefined;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #redraw = () => this.#draw();

  set chart(chart: Drawn) {
    // What looks the same is not drawn again: nothing flickers while a table beside it is sorted.
    if (JSON.stringify(chart) === JSON.stringify(this.#chart)) return;
    this.#chart = chart;
    this.#draw();
  }

  connectedCallback(): void {
    // Set on the element before this code had loaded: it hides the setter.
    const early = Object.getOwnPropertyDescriptor(this, "chart");
    if (early !== undefined) {
      Reflect.deleteProperty(this, "chart");
      this.chart = early.value;
    }
    this.#dark.addEventListener("change", this.#redraw);
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#dark.removeEventListener("change", this.#redraw);
    this.#drawn?.destroy();
    this.#drawn = undefined;
  }

  #draw(): void {
    this.#drawn?.destroy();
    this.#drawn = undefined;
    if (this.#chart === undefined || !this.isConnected) return;
    const box = document.createElement("div");
    box.className = this.#chart.kind;
    if (this.#chart.kind === "bars") box.style.height = `${this.#chart.bars.length * 26 + 60}px`;
    if (this.#chart.kind === "groups") box.style.height = `${groupsHeight(this.#chart)}px`;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${this.#chart.title}. The table beneath has every figure.`);
    box.append(canvas);
    this.replaceChildren(box);
    const theme = themeOf(this);
    const narrow = this.clientWidth < 520;
    this.#drawn = new Chart(canvas, configOf(this.#chart, theme, narrow));
  }
}

customElements.define("tokenroof-chart", ChartElement);
