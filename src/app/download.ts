/** Hands a file of JSON to the person at the page. */
export function download(name: string, content: unknown): void {
  const file = new Blob([`${JSON.stringify(content, null, 1)}\n`], { type: "application/json" });
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(file);
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}
