/** Hands a file to the person at the page. */
export function downloadText(name: string, content: string, type: string): void {
  const file = new Blob([content], { type });
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(file);
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}

/** Hands a file of JSON to the person at the page. */
export const download = (name: string, content: unknown): void =>
  downloadText(name, `${JSON.stringify(content, null, 1)}\n`, "application/json");
