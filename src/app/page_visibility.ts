// The worker's copy of what it cannot see: whether its page is hidden.

import type { Visibility } from "../engine/host";

export interface PageVisibility extends Visibility {
  /** What the page says, at the start and whenever it changes. */
  set(hidden: boolean): void;
}

/** A page that counts as visible until it says otherwise. */
export function pageVisibility(): PageVisibility {
  let hidden = false;
  let timesHidden = 0;
  let waiting: (() => void)[] = [];
  return {
    get hidden() {
      return hidden;
    },
    get timesHidden() {
      return timesHidden;
    },
    whenVisible: () => (hidden ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
    set(now) {
      if (now && !hidden) timesHidden++;
      hidden = now;
      if (hidden) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
  };
}
