// Browsers that do not store: what is wrong, and a script that makes a page's own browser be like that.

export const storageFaults: readonly [what: string, script: string][] = [
  ["there is no IndexedDB", "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })"],
  [
    "IndexedDB is refused",
    "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }",
  ],
  [
    "IndexedDB never answers",
    `const { open } = IDBFactory.prototype;
      IDBFactory.prototype.open = function (...given) {
        return Object.assign(open.apply(this, given), { addEventListener() {} });
      }`,
  ],
  [
    "the storage is full",
    "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError') }",
  ],
];
