// <tokenroof-chart>: a Chart.js canvas that follows its property and the colour scheme.

import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
} from "chart.js";
import type { Bars, Roofline } from "../../report/report_types";
import { barsConfig } from "./bars";
import { rooflineConfig } from "./roofline";
import { themeOf } from "./theme";

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

class ChartElement extends HTMLElement {
  #chart: Bars | Roofline | undefined;
  #drawn: Chart | undefined;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #redraw = () => this.#draw();

  set chart(chart: Bars | Roofline) {
    if (chart === this.#chart) return;
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
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${this.#chart.title}. The table beneath has every figure.`);
    box.append(canvas);
    this.replaceChildren(box);
    const theme = themeOf(this);
    const narrow = this.clientWidth < 520;
    this.#drawn =
      this.#chart.kind === "bars"
        ? new Chart(canvas, barsConfig(this.#chart, theme, narrow))
        : new Chart(canvas, rooflineConfig(this.#chart, theme, narrow));
  }
}

customElements.define("tokenroof-chart", ChartElement);
