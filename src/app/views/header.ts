import { html, type TemplateResult } from "lit";

const pages = [
  { id: "measure", file: "./", text: "Measure" },
  { id: "chips", file: "chips.html", text: "Chips" },
] as const;

/** The name, the way to the other page, and what this one is for. */
export function header(here: (typeof pages)[number]["id"], question: string): TemplateResult {
  return html`
    <header>
      <div class="masthead">
        <h1><a class="brand" href=${location.pathname}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 27 16 10h13" />
            <circle cx="12" cy="22" r="2.6" />
            <circle cx="23" cy="17" r="2.6" />
          </svg>
          Tokenroof
        </a></h1>
        <nav aria-label="Pages">
          ${pages.map(({ id, file, text }) =>
            id === here
              ? html`<a href=${file} aria-current="page">${text}</a>`
              : html`<a href=${file}>${text}</a>`,
          )}
        </nav>
      </div>
      <p>${question}</p>
    </header>
  `;
}
