// Scorers at their consoles.

import { Person } from './people.js';

export class Scorer extends Person {
  /** Through the door of the demo mode. @param {import('playwright-core').Browser} browser @param {string} url @param {string} id @param {string} name */
  static async enters(browser, url, id, name, options = {}) {
    const opened = await Person.opens(browser, `${url}/scores/console/?id=${id}`, options);
    const scorer = Object.assign(new Scorer(), opened, { name });
    await scorer.page.fill('#name', name);
    await scorer.page.click('#door button');
    await scorer.isConnected();
    return scorer;
  }

  /** Who raids, whom the raider meets, and how it ends. @param {{raider: string, meets?: string[], bonus?: boolean, ends?: "home" | "caught"}} raid */
  async scores({ raider, meets = [], bonus = false, ends = 'home' }) {
    await this.page.click(`#raiders [data-player="${raider}"]`);
    for (const id of meets) await this.page.click(`#defenders [data-player="${id}"]`);
    if (bonus) await this.page.click('#bonus');
    await this.page.click(`#${ends}`);
  }

  /** Until the board shows it. @param {number} a @param {number} b */
  async reads(a, b) {
    const shown = () => this.page.locator('.board [data-score]').allTextContents();
    await this.until(async () => (await shown()).join() === `${a},${b}`, `the board does not show ${a}–${b}`);
  }
}

/** Whoever watches a match. */
export class Viewer extends Scorer {
  /** @param {import('playwright-core').Browser} browser @param {string} url @param {string} id */
  static async comes(browser, url, id, options = {}) {
    const opened = await Person.opens(browser, `${url}/scores/match/?id=${id}`, options);
    const viewer = Object.assign(new Viewer(), opened, { name: 'a viewer' });
    await viewer.sees('.board');
    return viewer;
  }
}
