'use strict';
// Hostile clients of the pages and of the admin socket.
const path = require('path');

const {pause} = require('./hostile');

const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';

const monitor = (stage) => ({port: stage.router.monitorPort}), status = (stage) => ({port: stage.router.statusPort});
const admin = (stage) => ({path: path.join(stage.router.directory, 'admin.sock')});

/** Keeps that many connections, each begun by `begin`; every time `each` goes on with those that are left. */
async function crowd(stage, to, count, begin, each = () => {}, options = {}) {
  let open = [];
  await stage.lasts(async () => {
    const left = open.filter((one) => !one.closed && !one.ended);
    stage.note('cut', open.length - left.length);
    for (const one of open) if (!left.includes(one)) one.leave();
    while (left.length < count && stage.goOn()) {
      const one = await stage.connect(options, to(stage));
      one.plain = true;
      one.socket.write(begin(++stage.acts));
      left.push(one);
    }
    open = left;
    for (const one of open) each(one);
  });
}
/** When they have left, the page answers. */
const answers = (page) => async (stage) => {
  await stage.eventually(`${page} is answered`, async () => (await stage.router.page(page === '/status' ? stage.router.statusPort : stage.router.monitorPort, page)).status === 200);
};
const operates = (stage) => stage.eventually('an operator is answered', () => stage.line('status').then(({ok}) => ok, () => false));

const slowly = (name, to, page) => ({
  kind: 'pages', name, about: `100 clients of the ${name.split('_')[0]} port that send a request byte by byte`,
  attack: (stage) => crowd(stage, to, 100, () => 'G', (one) => {
    one.at = (one.at || 0) + 1;
    if (one.at < REQUEST.length - 4) one.socket.write(REQUEST[one.at]);
    else one.socket.write('x');  // a header that has no end
  }),
  check: answers(page),
});

const halfRequests = {
  kind: 'pages', name: 'monitor_half_requests', about: 'requests of which half comes, and those with no end to their lines or headers',
  attack: (stage) => crowd(stage, monitor, 60, (n) => [REQUEST.slice(0, 10), `GET /${'x'.repeat(100_000)}`, `GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(20_000)}`,
    'POST /metrics HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n', '\0'.repeat(1000), 'PRI * HTTP/2.0\r\n\r\n'][n % 6], (one) => { if (one.received > 0) one.leave(); }),
  check: answers('/metrics'),
};

const unreadPages = {
  kind: 'pages', name: 'monitor_unread', about: 'clients of the monitor port that ask for pages without an end and read none',
  attack: (stage) => crowd(stage, monitor, 30, () => REQUEST.repeat(200), (one) => { if (one.socket.writableLength === 0) one.socket.write(REQUEST.repeat(20)); }, {reads: false}),
  check: answers('/metrics'),
};

const adminCrowd = {
  kind: 'pages', name: 'admin_half_lines', about: '100 clients of the admin socket that send half a line',
  attack: (stage) => crowd(stage, admin, 100, () => '{"v":1,"comm', (one) => one.socket.write('x')),
  check: operates,
};
const adminLines = {
  kind: 'pages', name: 'admin_long_lines', about: 'lines without an end to the admin socket',
  async attack(stage) {
    const piece = Buffer.alloc(1 << 20, 'x');
    const work = Array.from({length: 8}, async () => {
      while (stage.goOn()) {
        const one = await stage.connect({}, admin(stage));
        one.plain = true;
        while (stage.goOn() && !one.ended && await one.send(piece)) ++stage.acts;
        stage.note('cut');
        one.leave();
        await pause(5);
      }
    });
    await Promise.all(work);
  },
  check: operates,
};
const adminUnread = {
  kind: 'pages', name: 'admin_unread', about: 'operators that ask without an end and read no answer',
  attack: (stage) => crowd(stage, admin, 20, () => '{"v":1,"command":"sessions","arguments":{}}\n'.repeat(500),
    (one) => { if (one.socket.writableLength === 0) one.socket.write('{"v":1,"command":"status","arguments":{}}\n'.repeat(20)); }, {reads: false}),
  check: operates,
};

module.exports = [slowly('monitor_slowly', monitor, '/metrics'), slowly('status_slowly', status, '/status'), halfRequests, unreadPages, adminCrowd, adminLines, adminUnread];
