// Drivers, passengers and operators at the pages of rides.

import { Person } from './people.js';

/** Where the tests take place, and how far a ten-thousandth of a degree north is. */
export const HOME = { latitude: -6.2088, longitude: 106.8456 };
/** So many metres north of home. @param {number} metres */
export const north = (metres) => ({ latitude: Math.round((HOME.latitude + metres / 111_195) * 1e7) / 1e7, longitude: HOME.longitude });

export class Rider extends Person {
  /**
   * Through the door, standing somewhere. Without a token by a name, in demo mode.
   * @param {import('playwright-core').Browser} browser @param {string} url @param {"driver" | "passenger" | "operator"} side @param {string} name
   * @param {{token?: string, at?: object, target?: object, auto?: object, [option: string]: unknown}} options
   */
  static async enters(browser, url, side, name, { token, at, target, auto, ...options } = {}) {
    const opened = await Person.opens(browser, `${url}/rides/`, options);
    const rider = Object.assign(new Rider(), opened, { name, side });
    const { page } = rider;
    await page.evaluate(([whose, kept]) => {
      for (const [what, value] of Object.entries(kept)) if (value) sessionStorage.setItem(`kulkul.rides.${whose}.${what}`, JSON.stringify(value));
    }, [side, { place: at, target, auto }]);
    await page.goto(`${url}/rides/${side}/${token ? `#token=${token}` : ''}`);
    if (!token) {
      await page.fill('#name', name);
      await page.click('#door button');
    }
    await rider.isConnected();
    return rider;
  }

  static drives(browser, url, name, options = {}) {
    return Rider.enters(browser, url, 'driver', name, options);
  }

  static rides(browser, url, name, options = {}) {
    return Rider.enters(browser, url, 'passenger', name, options);
  }

  /** The head of the sheet. @param {string | RegExp} title */
  stands(title) {
    return this.sees('#sheet-title', title);
  }

  press(id) {
    return this.page.click(`#${id}`);
  }

  async onDuty() {
    await this.press('go-on');
    await this.stands(/You are on duty|asks for you/);
  }

  /** @param {string} name of the other */
  async accepts(name) {
    await this.page.locator('.offer', { hasText: name }).locator('.yes').click();
  }

  /** Both say yes, the driver first. @param {Rider} driver */
  async matches(driver) {
    await this.press('find');
    await driver.accepts(this.name);
    await this.page.locator('.offer[data-status="DRIVER_CONFIRMED"]').waitFor();
    await this.accepts(driver.name);
    await this.sees('#trip');
    await driver.sees('#trip');
  }

  /** A figure of the ride, as a number. @param {string} of */
  async figure(of) {
    const text = await this.page.locator(`[data-figure="${of}"] dd`).textContent();
    return Number(text.replace(/[^\d]/g, ''));
  }

  /** A line of a receipt. @param {string} words */
  line(words) {
    return this.page.locator('.receipt:visible div', { hasText: words }).first().locator('dd').textContent();
  }
}

/** "Rp 8.640" is 8640. @param {string} text */
export const amount = (text) => Number(text.replace(/[^\d-]/g, ''));
