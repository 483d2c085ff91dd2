// What is in view is written with every message; the rest waits, so that a long page costs no more than a screen of it.
const patience = 5000; // ms for which what nobody sees may be old

/** Watches elements and calls `again` when one that is out of date comes into view. */
export class Visible {
  constructor(again, margin = '200px') {
    this.seen = new Map(); // by element: {view, at}
    this.observer = new IntersectionObserver((entries) => {
      let late = false;
      for (const { target, isIntersecting } of entries) {
        const entry = this.seen.get(target);
        if (!entry) continue;
        late ||= isIntersecting && !entry.view && entry.behind;
        entry.view = isIntersecting;
      }
      if (late) again();
    }, { rootMargin: margin });
  }

  /** Whether an element has to be written now; if so, it counts as written. */
  due(element, now) {
    let entry = this.seen.get(element);
    if (!entry) {
      entry = { view: false, behind: false, at: -Infinity };
      this.seen.set(element, entry);
      this.observer.observe(element);
    }
    if (!entry.view && now - entry.at < patience) {
      entry.behind = true;
      return false;
    }
    entry.at = now;
    entry.behind = false;
    return true;
  }

  /** Makes everything due. */
  expire() {
    for (const entry of this.seen.values()) entry.at = -Infinity;
  }

  forget(element) {
    this.observer.unobserve(element);
    this.seen.delete(element);
  }
}
