import { type Chip, chipClasses } from "./chip";

// Not parsed here: tests/unit/chips.test.ts holds every file against the schema.
const files = import.meta.glob<Chip>("./*.json", { eager: true, import: "default" });

const { compare } = new Intl.Collator("en", { numeric: true });

/** Every reference chip, by class; within a class by vendor, and each vendor's from old to new. */
export const chips: readonly Chip[] = Object.values(files).sort(
  (a, b) =>
    chipClasses.indexOf(a.class) - chipClasses.indexOf(b.class) ||
    compare(a.vendor, b.vendor) ||
    compare(a.launch, b.launch) ||
    compare(a.name, b.name),
);

const byId = new Map(chips.map((chip) => [chip.id, chip]));

export function chip(id: string): Chip | undefined {
  return byId.get(id);
}
