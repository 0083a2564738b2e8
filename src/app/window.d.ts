import type { Automation } from "./automation";

declare global {
  interface Window {
    tokenroof: Automation;
  }
}
