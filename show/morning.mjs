// An analyst's morning in the console; prints one line a step with its milliseconds, ends with 1 at the first that fails.
import fs from 'node:fs';
import { chromium } from 'playwright-core';

const [base, token, executablePath, capture, shots, work] = process.argv.slice(2);
const axe = fs.readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
fs.mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const faults = [];
let expectRefusal = false;
async function person(storageState) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, storageState });
  const page = await context.newPage();
  page.on('pageerror', (e) => faults.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && !expectRefusal && !/401/.test(m.text()) && faults.push(m.text()));
  page.on('request', (r) => !r.url().startsWith(base) && !r.url().startsWith('data:') && !r.url().startsWith('blob:') && faults.push(`asked elsewhere: ${r.url()}`));
  page.setDefaultTimeout(20_000);
  return page;
}
async function step(name, act) {
  const begin = performance.now();
  const said = await act();
  console.log(`${name}: ${said ?? 'done'} (${Math.round(performance.now() - begin)} ms)`);
}
const need = (ok, what) => {
  if (!ok) throw new Error(what);
};
// Sets the least severity and waits until the queue was asked for anew.
async function least(page, severity) {
  const asked = page.waitForResponse((r) => r.url().includes('/api/v1/findings?') && r.url().includes(`severity=${severity}`));
  await page.getByLabel('Least severity').selectOption(severity);
  await asked;
  await page.waitForTimeout(200);
}
const PASSWORD = 'correct horse battery';
async function login(page, name) {
  await page.goto(base);
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.locator('form button').click();
  await page.waitForSelector('header');
}
try {
  const anna = await person();
  await step('the first administrator is made', async () => {
    await anna.goto(base);
    await anna.getByLabel('One-time token').fill(token);
    await anna.getByLabel('User name').fill('anna');
    await anna.getByLabel('Password').fill(PASSWORD);
    await anna.getByRole('button', { name: 'Make the administrator' }).click();
    await anna.waitForSelector('header');
  });
  await step('she makes an analyst, an approver and a viewer', async () => {
    await anna.goto(`${base}system#Users`);
    for (const [name, role] of [['alan', 'analyst'], ['april', 'approver'], ['vera', 'viewer']]) {
      await anna.getByLabel('Name', { exact: true }).first().fill(name);
      await anna.locator('form.add select').first().selectOption(role);
      await anna.getByLabel('Password').fill(PASSWORD);
      await anna.getByRole('button', { name: 'Add user' }).click();
      await anna.getByRole('cell', { name, exact: true }).waitFor();
    }
  });
  const alan = await person();
  await step('the analyst logs in', () => login(alan, 'alan'));
  await step('three findings by keyboard: acknowledged, mine, closed with a reason, undone', async () => {
    await alan.getByRole('link', { name: /^Findings/ }).click();
    await least(alan, 'info');
    await alan.locator('.item').nth(2).waitFor();
    const before = await alan.locator('.item').count();
    await alan.locator('.list').click({ position: { x: 200, y: 20 } });
    await alan.keyboard.press('a');
    await alan.getByText('One finding acknowledged').waitFor();
    await alan.keyboard.press('j');
    await alan.keyboard.press('m');
    await alan.getByText('One finding assigned to you').waitFor();
    await alan.keyboard.press('j');
    await alan.keyboard.press('e');
    await alan.getByLabel('Reason, for whoever reads this in a year').fill('commissioning of bay 4');
    await alan.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await alan.getByText('closed as expected').first().waitFor();
    // What the centre tells may come before the answer does.
    await alan.waitForFunction((n) => document.querySelectorAll('.item').length === n, before - 1);
    await alan.keyboard.press('u');
    await alan.waitForFunction((n) => document.querySelectorAll('.item').length === n, before);
    return `${before} in the queue`;
  });
  await step('the decoded records of a finding', async () => {
    await least(alan, 'medium');
    if ((await alan.locator('.item').count()) === 0) await least(alan, 'low');
    await alan.locator('.item').first().click();
    await alan.getByRole('button', { name: 'Show the decoded records' }).click();
    await alan.locator('section:has(h2:text("Records of its conversations")) td').first().waitFor();
    return `${await alan.locator('section:has(h2:text("Records of its conversations")) tbody tr').count()} rows`;
  });
  await step('what is expected from now on is proposed with what it would have silenced', async () => {
    await alan.getByRole('button', { name: 'Expect from now on…' }).click();
    const said = await alan.getByText(/In the last 30 days it would have silenced/).textContent();
    await alan.getByRole('dialog').getByLabel('Reason').fill('known work');
    await alan.getByRole('button', { name: 'Propose' }).click();
    await alan.getByText('Proposed', { exact: true }).waitFor();
    await alan.getByRole('button', { name: 'Done' }).click();
    return said.replace(/\s+/g, ' ').trim();
  });
  await step('the administrator approves it', async () => {
    await anna.goto(`${base}expected`);
    await anna.getByRole('button', { name: 'Approve' }).click();
    await anna.getByText('in force').waitFor();
  });
  let found = '';
  await step('a case: taken, noted, who did what to whom, its evidence taken along', async () => {
    await alan.getByRole('link', { name: /^Cases/ }).click();
    await alan.locator('.card').first().waitFor();
    found = await alan.evaluate(async () => {
      const { items } = await (await fetch('/api/v1/cases')).json();
      for (const c of items) if ((await (await fetch(`/api/v1/cases/${c.id}`)).json()).fits === 'scan') return c.id;
      return '';
    });
    need(found, 'no case that the playbook of a scan fits');
    await alan.locator(`#case-${found}`).click();
    await alan.getByRole('button', { name: 'Take it' }).click();
    await alan.getByText('It is yours.').waitFor();
    await alan.getByLabel('Note on the case').fill('called the control room');
    await alan.getByRole('button', { name: 'Note', exact: true }).click();
    await alan.getByText('Noted.').waitFor();
    await alan.locator('.graph canvas').waitFor();
    const taken = alan.waitForEvent('download');
    await alan.getByRole('button', { name: 'Export evidence' }).click();
    await (await taken).saveAs(`${work}/evidence.tar`);
    return `${await alan.locator('section:has(h2:text("Findings, and why each is here")) tbody tr').count()} findings`;
  });
  const propose = async (live) => {
    await alan.getByRole('button', { name: 'Propose a playbook…' }).click();
    const dialog = alan.getByRole('dialog');
    await dialog.getByLabel('Playbook').selectOption('scan');
    if (live) await dialog.getByRole('radio', { name: /Live/ }).check();
    await dialog.getByRole('button', { name: 'Propose', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
  };
  await step('a dry run says what would be done, and does nothing', async () => {
    await propose(false);
    const said = await alan.getByText(/would do: cut off/).first().textContent();
    need(!fs.existsSync(`${work}/block.txt`) || !/\d/.test(fs.readFileSync(`${work}/block.txt`, 'utf8').replace(/#.*/g, '')), 'a dry run put something in force');
    return said.trim();
  });
  await step('live: it asks the analyst, then waits for an approver', async () => {
    await propose(true);
    await alan.getByRole('button', { name: 'Confirm', exact: true }).click();
    await alan.getByText('Waits for an approval:').waitFor();
    expectRefusal = true;
    const status = await alan.evaluate(async () => {
      const { items } = await (await fetch('/api/v1/runs?state=waiting')).json();
      return (await fetch(`/api/v1/runs/${items[0].id}/approve`, { method: 'POST', headers: { 'x-gridwarden': '1' } })).status;
    });
    need(status === 403, `an analyst's approval gave ${status}`);
    expectRefusal = false;
  });
  const april = await person();
  await step('the approver approves: it is in force, with its end', async () => {
    await login(april, 'april');
    await april.getByRole('link', { name: /^Response/ }).click();
    await april.getByRole('button', { name: 'Approve', exact: true }).click();
    const row = april.locator('section:has(h2:text("In force")) tbody tr').first();
    await row.waitFor();
    const address = (await row.locator('.mono').textContent()).trim();
    need(fs.readFileSync(`${work}/block.txt`, 'utf8').includes(address), `${address} is not on the list that firewalls fetch`);
    return address;
  });
  await step('it is undone before its time', async () => {
    await april.getByRole('button', { name: 'Undo now' }).click();
    await april.getByText('Nothing is in force.').waitFor();
    need(!/^\d/m.test(fs.readFileSync(`${work}/block.txt`, 'utf8')), 'the list still holds an address');
  });
  await step('the kill switch: on by the analyst, off by the approver', async () => {
    await alan.goto(`${base}response`);
    await alan.getByRole('button', { name: 'Kill switch…' }).click();
    await alan.getByRole('dialog').getByLabel('Reason').fill('work in the yard');
    await alan.getByRole('button', { name: 'Turn it on' }).click();
    await alan.getByText('kill switch on, by alan').first().waitFor();
    await april.goto(`${base}response`);
    await april.getByRole('button', { name: 'Turn the kill switch off…' }).click();
    await april.getByRole('dialog').getByLabel('Reason').fill('done');
    await april.getByRole('button', { name: 'Turn it off' }).click();
    await april.getByRole('button', { name: 'Kill switch…' }).waitFor();
  });
  await step('a test event arrives at a destination', async () => {
    await alan.goto(`${base}destinations`);
    await alan.getByRole('button', { name: 'Send a test event' }).click();
    return alan.getByText(/the test event .* arrived/).textContent();
  });
  await step('the approver declares work; the analyst closes the case', async () => {
    await april.goto(`${base}expected`);
    await april.getByRole('button', { name: 'Declare work…' }).click();
    await april.getByRole('dialog').getByLabel('What is done').fill('relay test, bay 4');
    await april.getByRole('button', { name: 'Declare', exact: true }).click();
    await april.getByText('relay test, bay 4').waitFor();
    await alan.goto(`${base}cases/${found}`);
    await alan.getByRole('button', { name: 'Close…' }).click();
    await alan.getByRole('dialog').getByLabel('The procedure that was followed').fill('procedure 7: called the owner of the laptop');
    await alan.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
    await alan.getByRole('button', { name: 'Open it again' }).waitFor();
  });
  await step('any page by its words, any table as a file', async () => {
    await alan.keyboard.press('Control+k');
    await alan.keyboard.type('devices');
    await alan.keyboard.press('Enter');
    await alan.getByRole('heading', { name: 'Devices' }).waitFor();
    const file = alan.waitForEvent('download');
    await alan.getByRole('button', { name: 'devices as CSV' }).click();
    const lines = fs.readFileSync(await (await file).path(), 'utf8').trim().split('\r\n').length - 1;
    need(lines > 3, `${lines} devices in the file`);
    await alan.keyboard.press('g');
    await alan.keyboard.press('f');
    await alan.locator('.list').waitFor();
    return `${lines} devices`;
  });
  await step('the device behind a finding, its peers and points', async () => {
    await alan.getByRole('link', { name: 'Devices' }).first().click();
    await alan.getByLabel('Search devices').fill('dnp3 server');
    await alan.waitForTimeout(500);
    await alan.locator('tbody a').first().click();
    await alan.locator('section:has(h2:text("Whom it talks with")) tbody tr').first().waitFor();
    await alan.locator('section:has(h2:text("Points it serves")) tbody tr').first().waitFor();
    return `${await alan.locator('section:has(h2:text("Points it serves")) tbody tr').count()} points`;
  });
  await step('a point over time', async () => {
    await alan.locator('section:has(h2:text("Points it serves")) tbody tr').first().click();
    await alan.locator('.chart canvas').waitFor();
    return alan.locator('h1').textContent();
  });
  await step('a search in SQL', async () => {
    await alan.getByRole('link', { name: 'Hunt' }).click();
    await alan.getByText('conn', { exact: true }).first().waitFor();
    await alan.getByLabel('SQL').fill("SELECT service, count(*) AS n FROM conn WHERE in_subnet(src_ip, '10.0.0.0/8') GROUP BY 1 ORDER BY 2 DESC");
    await alan.keyboard.press('Control+Enter');
    await alan.locator('.main-column tbody tr').first().waitFor();
    return `${await alan.locator('.main-column tbody tr').count()} rows`;
  });
  await step('a capture is imported, its findings are in the queue', async () => {
    await alan.goto(`${base}system#Import`);
    await alan.getByLabel('Capture files').setInputFiles(capture);
    await alan.locator('.tag.good', { hasText: 'done' }).waitFor({ timeout: 60_000 });
    await alan.goto(`${base}findings`);
    await least(alan, 'info');
    await alan.getByTitle('imported').first().waitFor();
  });
  const vera = await person();
  await step('a viewer sees, and is refused what she may not', async () => {
    await login(vera, 'vera');
    await vera.goto(`${base}findings`);
    await vera.locator('.list').waitFor();
    need((await vera.getByRole('button', { name: 'Acknowledge' }).count()) === 0, 'a viewer is offered a decision');
    expectRefusal = true;
    const status = await vera.evaluate(async () => (await fetch('/api/v1/hunt', { method: 'POST', headers: { 'x-gridwarden': '1', 'content-type': 'application/json' }, body: '{"sql":"SELECT 1"}' })).status);
    need(status === 403, `a viewer's search gave ${status}`);
    expectRefusal = false;
  });
  await step('every page at 900, 1440 and 2560 px, no serious fault by axe-core', async () => {
    let n = 0;
    for (const width of [900, 1440, 2560]) {
      await anna.setViewportSize({ width, height: 1000 });
      for (const path of ['', 'findings', 'cases', 'cases?view=table', `cases/${found}`, 'response', 'intelligence', 'models', 'destinations', 'devices', 'points', 'hunt', 'baseline', 'expected', 'system#Feeds', 'system#Users', 'system#Ledger', 'system#Data']) {
        const begin = performance.now();
        await anna.goto('about:blank');
        await anna.goto(base + path);
        await anna.waitForSelector('main');
        await anna.waitForLoadState('load');
        need(performance.now() - begin < 3000, `${path} took ${Math.round(performance.now() - begin)} ms`);
        await anna.waitForTimeout(600);
        need(await anna.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${path} is wider than ${width} px`);
        await anna.evaluate(axe);
        const serious = width > 2000 ? [] : await anna.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`));
        need(serious.length === 0, `${path} at ${width} px: ${serious.join('; ')}`);
        await anna.screenshot({ path: `${shots}/${path.replace(/[#?=/]/g, '-') || 'overview'}-${width}.png` });
        n += 1;
      }
    }
    return `${n} looked at`;
  });
  await step('the analyst logs out', async () => {
    await alan.getByRole('button', { name: 'Log out' }).click();
    await alan.getByLabel('User name').waitFor();
  });
  need(faults.length === 0, `errors in the browser:\n${[...new Set(faults)].join('\n')}`);
  console.log('no error in the browser, nothing asked elsewhere');
} catch (e) {
  console.error(String(e?.message ?? e), faults.length ? `\nerrors in the browser:\n${[...new Set(faults)].join('\n')}` : '');
  process.exitCode = 1;
}
await browser.close();
