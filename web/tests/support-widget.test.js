// The visitor's window of support on the server's own page, and who answers: both live, in browsers of their own.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Agent } from './agent.js';
import { browse } from './people.js';
import { Server } from './server.js';
import { Visitor } from './visitor.js';

let server, browser, page;
before(async () => {
  server = await Server.start();
  browser = await browse();
  page = `${server.url}/support/`;
});
after(async () => {
  await browser?.close();
  await server?.end();
});

/** On duty, with a free hand; of the tests before nobody is left. */
async function ada() {
  const response = await fetch(`${server.url}/demo/token`, { method: 'POST', body: JSON.stringify({ name: 'Ada', role: 'agent' }) });
  const agent = await Agent.comes(browser, server.url, (await response.json()).token);
  await agent.is('online');
  return agent;
}

/** A conversation that is answered. */
async function answered(message = 'Hello') {
  const [cy, agent] = [await Visitor.comes(browser, page), await ada()];
  await cy.begins(message);
  await cy.finds('#status', 'Ada is with you');
  return { cy, agent, id: await cy.session() };
}

/** What was left open would wait for the next test's agent, who has only so many hands. */
async function end(agent, ...visitors) {
  for (const visitor of visitors) {
    for (const { id, token } of (await visitor.kept()).sessions) {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      await fetch(`${server.url}/api/chat/close`, { method: 'POST', headers, body: JSON.stringify({ session_id: id }) });
    }
    await visitor.leaves();
  }
  await agent.is('offline');
  await agent.leaves();
}

test('two wait in their order, and both are answered', async () => {
  const [cy, di] = [await Visitor.comes(browser, page, 'Cy'), await Visitor.comes(browser, page, 'Di')];
  await cy.opensWindow();
  await cy.shoots('support-begin');
  await cy.starts('My licence ends next week.', { topic: 'Licence' });
  await cy.finds('#place', 'You are next');
  await cy.shoots('support-waiting');
  await di.begins('And mine ended yesterday.');
  await di.finds('#place', 'You are 2nd in line');
  await di.finds('#status', 'You are 2nd in line');
  const agent = await ada();
  for (const visitor of [cy, di]) {
    await visitor.finds('#status', 'Ada is with you');
    await visitor.loses('#waiting');
  }
  assert.deepEqual(await agent.sees(await cy.session()), ['My licence ends next week.']);
  assert.deepEqual(await agent.sees(await di.session()), ['And mine ended yesterday.']);
  await end(agent, cy, di);
});

test('both see that the other writes, and how far the other has read', async () => {
  const { cy, agent, id } = await answered('Is somebody there?');
  await cy.finds('.foot', 'Sent');
  await agent.reads(id);
  await cy.finds('.foot', 'Seen');
  await agent.types(id);
  await cy.finds('#typing', 'Ada is writing…');
  await agent.says(id, 'Yes. Look at https://example.org/renew, and here.', {
    attachments: [{ url: 'https://example.org/guide.pdf', name: 'Guide.pdf', type: 'application/pdf', size: 234567 }],
  });
  await cy.finds('.message .who', 'Ada');
  await cy.loses('#typing', 'Ada');
  assert.equal(await cy.at('.bubble a', 'renew').getAttribute('href'), 'https://example.org/renew');
  assert.equal(await cy.at('.attached a', 'Guide.pdf').getAttribute('rel'), 'noopener noreferrer');
  await cy.finds('.attached small', '229 KB');
  await cy.inside.locator('#say').pressSequentially('Thank');
  await agent.seesTyping(id);
  await cy.inside.locator('#say').press('Enter');
  await agent.seesRead(id);
  await cy.shoots('support-active');
  await end(agent, cy);
});

test('what comes while the window is closed is counted on the button, said aloud, and read when it opens', async () => {
  const { cy, agent, id } = await answered();
  await cy.page.evaluate(() => {
    window.counts = [];
    window.KulkulSupport.onUnread((count) => window.counts.push(count));
  });
  await cy.closesWindow();
  await agent.says(id, 'One');
  await cy.sees('kulkul-support .badge', '1');
  await agent.says(id, 'Two');
  await cy.sees('kulkul-support .badge', '2');
  assert.equal(await cy.launcher.getAttribute('aria-label'), 'Support, 2 new messages');
  await cy.until(() => cy.page.locator('kulkul-support [role=status]').textContent().then((said) => said === 'Support: 2 new messages'), 'it is not said');
  assert.deepEqual(await cy.page.evaluate(() => [window.counts, window.KulkulSupport.unread]), [[1, 2], 2]);
  await cy.shoots('support-badge');
  await cy.page.reload();
  await cy.sees('kulkul-support .badge', '2');
  await cy.opensWindow();
  await cy.finds('.line.new', 'New');
  await cy.misses('kulkul-support .badge');
  assert.deepEqual(await cy.said(), ['Hello', 'One', 'Two']);
  await agent.seesRead(id);
  await cy.shoots('support-new');
  await end(agent, cy);
});

test('sound is off until the visitor wants it, and sounds for what nobody looks at', async () => {
  const { cy, agent, id } = await answered();
  await cy.frame().evaluate(() => {
    window.beats = 0;
    const make = AudioContext.prototype.createOscillator;
    AudioContext.prototype.createOscillator = function () {
      window.beats += 1;
      return make.call(this);
    };
  });
  const beats = () => cy.frame().evaluate(() => window.beats);
  await agent.says(id, 'Quiet');
  await cy.stored('Quiet');
  await cy.chooses('Sound: off');
  assert.equal(await beats(), 2, 'one hears what was chosen');
  await agent.says(id, 'Looked at');
  await cy.stored('Looked at');
  assert.equal(await beats(), 2);
  await cy.closesWindow();
  await agent.says(id, 'Not looked at');
  await cy.stored('Not looked at');
  assert.equal(await beats(), 4);
  await end(agent, cy);
});

test('a page that is loaded again has the window as it was, and what was not sent yet', async () => {
  const { cy, agent, id } = await answered('First');
  await agent.says(id, 'Second');
  await cy.stored('Second');
  await cy.inside.locator('#say').fill('Half a thou');
  await cy.page.reload();
  await cy.stored('Second');
  await cy.finds('#status', 'Ada is with you');
  assert.equal(await cy.inside.locator('#say').inputValue(), 'Half a thou');
  assert.deepEqual(await cy.said(), ['First', 'Second']);
  await cy.writes('Half a thought');
  await cy.stored('Half a thought');
  assert.deepEqual(await agent.sees(id), ['First', 'Second', 'Half a thought']);
  await end(agent, cy);
});

test('a second window of the same browser is in the same conversation, and what is read in one is read in both', async () => {
  const { cy, agent, id } = await answered('From the first window');
  const second = Object.assign(new Visitor(), { name: 'Cy too', page: await cy.context.newPage() });
  await second.page.goto(page);
  await second.opensWindow();
  await second.tellsAgent('From the second window');
  await cy.stored('From the second window');
  assert.match(await cy.at('.message', 'From the second window').getAttribute('class'), /\bmine\b/);
  await cy.closesWindow();
  await second.closesWindow();
  await agent.says(id, 'To both');
  for (const one of [cy, second]) await one.sees('kulkul-support .badge', '1');
  await second.opensWindow();
  for (const one of [second, cy]) await one.misses('kulkul-support .badge');
  await end(agent, cy);
});

test('where nothing may be stored it lasts as long as the page', async () => {
  const cy = await Visitor.comes(browser, page);
  await cy.page.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, name, {
        get() {
          throw new DOMException('denied', 'SecurityError');
        },
      });
    }
  });
  await cy.page.reload();
  await cy.opensWindow();
  await cy.finds('#begin-memory', 'This browser keeps nothing');
  await cy.starts('Not for long');
  await cy.finds('#place', 'You are next');
  await cy.chooses('End this conversation');
  await cy.at('#ask-do').click();
  await cy.finds('#over-words', 'You have ended this conversation.');
  await cy.leaves();
});

test('earlier messages come by scrolling up', async () => {
  const { cy, agent, id } = await answered('Number 0');
  await cy.page.goto('about:blank');
  const all = ['Number 0'];
  for (let number = 1; number <= 70; number += 1) {
    all.push(`Number ${number}`);
    await agent.says(id, all.at(-1));
  }
  await cy.page.goto(page);
  await cy.stored('Number 70');
  await cy.until(async () => {
    await cy.inside.locator('#timeline').evaluate((list) => list.scrollTo(0, 0));
    return (await cy.said())[0] === 'Number 0';
  }, 'the first message never comes');
  assert.deepEqual(await cy.said(), all);
  await end(agent, cy);
});

test('kill -9 of the server in the middle loses nothing and repeats nothing', async () => {
  const { cy, agent, id } = await answered('Said 0');
  const all = ['Said 0'];
  for (let number = 1; number <= 8; number += 1) {
    all.push(`Said ${number}`);
    await cy.writes(all.at(-1));
    if (number === 4) await server.kill();
  }
  await cy.finds('#banner', 'No connection');
  await cy.finds('.delivery', 'waits for the connection…');
  await cy.shoots('support-offline');
  // A page that is left now has them again where one writes.
  await cy.frame().evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')));
  assert.match((await cy.kept()).draft, /Said 6\n\nSaid 7\n\nSaid 8$/);
  await cy.frame().evaluate(() => document.querySelector('#say').dispatchEvent(new Event('input')));
  await server.run();
  await cy.comesBack();
  await cy.loses('.pending');
  await cy.loses('#banner');
  assert.deepEqual(await cy.said(), all);
  assert.deepEqual(await agent.sees(id), all);
  await end(agent, cy);
});

test('it is ended with a reason, rated, and goes on', async () => {
  const { cy, agent, id } = await answered();
  await agent.does(id, 'close', { reason: 'licence renewed' });
  await cy.finds('#over-words', 'Ada has ended this conversation: licence renewed.');
  await cy.loses('#composer');
  await cy.shoots('support-closed');
  await cy.at('.stars label:nth-of-type(4)').click();
  await cy.inside.locator('#feedback').fill('Quick and kind.');
  await cy.shoots('support-rating');
  await cy.at('#rate').click();
  await cy.finds('#rated', 'You gave it 4 of 5.');
  assert.deepEqual(await agent.about(id, 'rated'), { rating: 4, feedback: 'Quick and kind.' });
  await cy.at('#reopen').click();
  await cy.finds('#status', 'Ada is with you');
  await cy.tellsAgent('One more thing.');
  await cy.chooses('End this conversation');
  await cy.shoots('support-end');
  await cy.at('#ask-do').click();
  await cy.finds('#over-words', 'You have ended this conversation.');
  await cy.closesWindow();
  await cy.page.reload();
  await cy.launcher.waitFor();
  assert.equal(await cy.page.locator('kulkul-support iframe').count(), 0, 'no answer can come, so nothing is loaded for one');
  await cy.opensWindow();
  await cy.finds('#over-words', 'You have ended this conversation.');
  await end(agent, cy);
});

test('a new one keeps the earlier one, which can be read, and saved as a page that prints', async () => {
  const { cy, agent, id } = await answered('The first matter');
  await agent.does(id, 'close');
  await cy.at('#anew').click();
  await cy.finds('#begin');
  assert.equal(await cy.inside.locator('#name').isVisible(), false, 'they are known by now');
  await cy.starts('The second matter', { topic: 'Another' });
  const other = await cy.session();
  assert.notEqual(other, id);
  await cy.chooses('Your conversations');
  await cy.finds('#sessions', 'The first matter');
  await cy.shoots('support-earlier');
  await cy.at('#sessions button', 'The first matter').click();
  await cy.stored('The first matter');
  await cy.finds('#over-words', 'Ada has ended this conversation.');
  const [download] = await Promise.all([cy.page.waitForEvent('download'), cy.chooses('Save the transcript')]);
  assert.match(download.suggestedFilename(), /^conversation-\d{4}-\d\d-\d\d\.html$/);
  const text = await readFile(await download.path(), 'utf8');
  assert.ok(text.includes('The first matter') && text.startsWith('<!doctype html>'));
  await end(agent, cy);
});

test('a contact is asked for once, and a person can be asked for', async () => {
  const cy = await Visitor.comes(browser, page);
  await cy.begins('Anybody?');
  await cy.finds('#contact');
  await cy.chooses('Ask for a person');
  await cy.finds('.toast', 'You are in the queue.');
  await cy.at('#contact-open').click();
  await cy.inside.locator('#contact-email').fill('cy@example');
  await cy.at('#contact-form button', 'Leave it').click();
  await cy.finds('#contact-trouble', 'That is no e-mail address');
  await cy.shoots('support-contact');
  await cy.inside.locator('#contact-email').fill('cy@example.org');
  await cy.at('#contact-form button', 'Leave it').click();
  await cy.loses('#contact');
  const agent = await ada();
  await cy.finds('#status', 'Ada is with you');
  const { contact_name, contact_email } = await agent.about(await cy.session(), 'contact');
  assert.deepEqual([contact_name, contact_email], ['Cy', 'cy@example.org']);
  await end(agent, cy);
});

test('an agent who goes away is told of, and so is one who comes back', async () => {
  const { cy, agent, id } = await answered();
  await agent.says(id, 'One moment.');
  await cy.stored('One moment.');
  await agent.steps(id, 'out');
  await cy.finds('#alone', 'Ada is away for a moment');
  await cy.finds('#status', 'Ada is away for a moment');
  await agent.steps(id, 'in');
  await cy.finds('#status', 'Ada is with you');
  await cy.loses('#alone');
  await end(agent, cy);
});

test('a key that opens nothing any more leads to a new conversation, with what was written', async () => {
  const { cy, agent } = await answered('Before');
  await cy.inside.locator('#say').fill('Written and not sent');
  await cy.frame().evaluate(() => {
    const kept = JSON.parse(localStorage.getItem('kulkul.support'));
    for (const session of kept.sessions) session.token = session.token.replace(/[^.]+$/, 'c2ln');
    localStorage.setItem('kulkul.support', JSON.stringify(kept));
  });
  await cy.page.reload();
  await cy.finds('#over-words', 'This conversation cannot be opened any more');
  await cy.shoots('support-lost');
  await cy.at('#anew').click();
  await cy.finds('#begin');
  assert.equal(await cy.inside.locator('#first').inputValue(), 'Written and not sent');
  await cy.at('#begin-do').click();
  await cy.stored('Written and not sent');
  // The server's refusals are what the test is about; the browser writes each down.
  cy.complaints = cy.complaints.filter((one) => !/401/.test(one));
  await end(agent, cy);
});

test('what is attached leads to safe places alone, and texts are texts', async () => {
  const cy = await Visitor.comes(browser, page);
  const shown = await cy.page.evaluate(async () => {
    const { stored } = await import('/support/widget/message.js');
    const attachments = ['javascript:alert(1)', '//evil.example/a', 'http://plain.example/a', 'data:text/html,x', '/files/7', 'https://example.org/a'];
    const message = { id: '1', payload: { message: '<img src=x onerror=alert(1)> javascript:1', sender_type: 'agent', attachments }, timestamp: '2026-01-01T10:00:00Z', position: { epoch: 'e', offset: 1 } };
    const item = stored(message, { mine: false, state: '' });
    return { images: item.querySelectorAll('img').length, links: [...item.querySelectorAll('a')].map((link) => link.getAttribute('href')) };
  });
  assert.deepEqual(shown, { images: 0, links: ['/files/7', 'https://example.org/a'] });
  await cy.leaves();
});
