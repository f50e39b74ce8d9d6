// Who answers, without a desk: the client in a browser of its own, with a token of the staff. What an agent sees is the desk's to
// test; here is what a visitor notices of one.

const PATIENCE_MS = 20_000;

export class Agent {
  /** On duty in the department. @param {import('playwright-core').Browser} browser @param {string} url @param {string} token */
  static async comes(browser, url, token, department = 'general') {
    const agent = new Agent();
    agent.context = await browser.newContext();
    agent.page = await agent.context.newPage();
    agent.page.setDefaultTimeout(PATIENCE_MS);
    agent.url = url;
    // A page that does nothing by itself, at the server's own origin.
    await agent.page.goto(`${url}/icon.svg`);
    await agent.page.evaluate(
      async ([token, department]) => {
        const { Kulkul } = await import('/client/index.js');
        const address = new URL('/ws', location.href);
        address.protocol = 'ws:';
        const client = new Kulkul(address.href, { token });
        client.connect();
        const room = client.room(`support:dept:${department}`);
        await room.join();
        window.agent = { client, department: room, of: (id) => client.room(`support:${id}`) };
      },
      [token, department],
    );
    return agent;
  }

  /** @param {"online" | "busy" | "away" | "offline"} status */
  is(status) {
    return this.page.evaluate((status) => window.agent.department.act('set_status', { status }).then(() => {}), status);
  }

  /** A word of the session, which was joined before. @param {string} session @param {string} word @param {object} [payload] */
  does(session, word, payload = {}) {
    return this.page.evaluate(
      async ([id, word, payload]) => {
        const room = window.agent.of(id);
        await room.join();
        await room.act(word, payload);
      },
      [session, word, payload],
    );
  }

  /** @param {string} session @param {string} message @param {object} [more] */
  says(session, message, more = {}) {
    return this.page.evaluate(
      async ([id, payload]) => {
        const room = window.agent.of(id);
        await room.join();
        await room.send(payload);
      },
      [session, { message, ...more }],
    );
  }

  /** @param {string} session */
  types(session) {
    return this.page.evaluate(async (id) => {
      const room = window.agent.of(id);
      await room.join();
      room.startTyping();
    }, session);
  }

  /** All that is there. @param {string} session */
  reads(session) {
    return this.page.evaluate(async (id) => {
      const room = window.agent.of(id);
      await room.join();
      const { messages } = await room.history({ limit: 1 });
      await room.act('mark_read', { upto: messages.at(-1).position });
    }, session);
  }

  /** What was said, as it is stored, by sender. @param {string} session @returns {Promise<string[]>} */
  sees(session) {
    return this.page.evaluate(async (id) => {
      const { messages } = await window.agent.of(id).history({ limit: 100 });
      return messages.filter(({ payload }) => payload.message !== undefined).map(({ payload }) => payload.message);
    }, session);
  }

  /** Until the customer writes. @param {string} session */
  seesTyping(session) {
    return this.page.waitForFunction((id) => window.agent.of(id).typing.length > 0, session);
  }

  /** Until the customer has read all that is there. @param {string} session */
  seesRead(session) {
    return this.page.waitForFunction(async (id) => {
      const room = window.agent.of(id);
      const [{ messages }, { payload }] = [await room.history({ limit: 1 }), await room.act('get_session')];
      return (payload.read_by_customer?.offset ?? 0) >= messages.at(-1).position.offset;
    }, session);
  }

  /** What the staff knows of the session. @param {string} session @param {string} name */
  about(session, name) {
    return this.page.evaluate(async ([id, name]) => (await window.agent.of(id).act('get_session')).payload[name], [session, name]);
  }

  /** Out of the session's room, or in again; still on duty. @param {string} session @param {"in" | "out"} way */
  steps(session, way) {
    return this.page.evaluate(async ([id, way]) => {
      const room = window.agent.of(id);
      if (way === 'in') await room.join();
      else room.leave();
    }, [session, way]);
  }

  leaves() {
    return this.context.close();
  }
}
