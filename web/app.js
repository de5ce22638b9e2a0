// The page at `/`: what the community's node counts, read from its API and drawn.
//
// It is for the person who keeps the accounts and has never heard of Nostr, so it says "payments"
// and "votes", and leaves keys and digests to the parts that open on request. It only reads.
// Text goes in as text (`textContent`), never as markup; nothing comes from another host.
// Deliberately absent: a framework, a build step, anything that writes. The fields read here are
// listed in web/README.md.

const TEXTS = {
  locale: 'en-GB',
  skip: 'Skip to the content',
  loading: 'Opening the books…',
  lost: 'No answer from the node. The numbers below may be out of date.',
  sectionLost: 'This part cannot be shown at the moment.',
  nodeTrust: (q, n) => n === 1
    ? 'One witness confirms payments and counts votes.'
    : `${q} of ${n} witnesses confirm payments and count votes together.`,
  figures: { accounts: 'Accounts', orders: 'Payments', volume: 'Moved in all', sum: 'All balances together' },
  accounts: 'Accounts',
  accountsNote: 'Whoever gives goes up, whoever receives goes down. Every payment takes from one what it gives to another, so all balances together are always zero.',
  accountsCaption: (name) => `Balances in ${name}`,
  columns: { who: 'Name', drawn: 'Drawn around zero', balance: 'Balance', limit: 'May owe' },
  noAccounts: 'Nobody has an account yet.',
  alsoCalled: (name, code) => `${name} (${code})`,
  types: { organisation: 'organisation', community: 'the community', cause: 'cause', escrow: 'held for a raffle', clearing: 'trade with other communities' },
  statuses: { suspended: 'suspended', closed: 'closed' },
  market: 'Offers and wants',
  marketNote: 'What members have for each other, and what they look for. List yours with “ayni listing add”.',
  marketCaption: 'The newest first',
  marketColumns: { what: 'What', who: 'Who', price: 'Price', place: 'Where' },
  noListings: 'Nobody offers or wants anything yet.',
  wanted: 'wanted',
  per: (price, per) => `${price} per ${per}`,
  rings: (n) => n === 1 ? 'One ring of trades would close' : `${n} rings of trades would close`,
  ringsNote: 'Each gives to the next, and the last to the first, so that nobody is left owing more. It is a suggestion; nothing is booked.',
  votes: 'Votes',
  votesNote: 'In a quadratic vote everyone has the same credits. One vote for or against costs 1, two cost 4, three cost 9: a strong wish is heard, and it has its price.',
  noVotes: 'No vote has been called yet.',
  voteColumns: { option: 'Option', drawn: 'Drawn around zero', score: 'Score' },
  voteCaption: 'Score of each option',
  voteCaptionSigned: 'Below zero: more against than for.',
  voteState: {
    scheduled: (p) => `Opens ${when(p.opens)}`,
    open: (p) => `Open until ${when(p.closes)}`,
    closing: () => 'Closed; the last ballots are being gathered',
    sealed: () => 'Closed; the ballot box is sealed',
    'awaiting-beacon': () => 'Closed; waiting for the public random number',
    tallied: () => 'Counted; not confirmed yet',
    certified: () => 'Counted and confirmed',
    executed: () => 'Counted, confirmed and carried out',
    rejected: () => 'Counted and confirmed: not carried',
    void: () => 'Void: nothing was decided',
    disputed: () => 'Disputed: two results were signed, and neither holds',
  },
  provisional: 'The count can still change.',
  turnout: (p) => `${p.turnout} of ${p.eligible} have voted.`,
  quorumMissed: (p) => ['scheduled', 'open'].includes(p.state) ? 'Too few have voted so far.' : 'Too few have voted.',
  voteWith: 'Vote by typing',
  seeWith: 'More by typing',
  chosen: 'chosen',
  nothingChosen: 'No option was chosen.',
  spoiled: (n) => `${n} ${n === 1 ? 'ballot does' : 'ballots do'} not count`,
  spoiledItem: (who, reason) => `${who}: ${reason}`,
  raffles: 'Raffles',
  noRaffles: 'No raffle has been announced yet.',
  raffleState: {
    announced: (r) => `Announced${r.opens ? `; tickets from ${when(r.opens)}` : ''}`,
    open: (r) => `Tickets until ${when(r.closes)}`,
    closed: () => 'Closed; the list of tickets is being fixed',
    sealed: () => 'The list of tickets is sealed; waiting for the draw',
    drawn: () => 'Drawn',
    paid: () => 'Drawn and paid out',
    finished: () => 'Finished',
    void: () => 'Void: no draw takes place',
    refunded: () => 'Void; every ticket was paid back',
  },
  tickets: (r, price) => `${r.units} ${r.units === 1 ? 'chance' : 'chances'} on ${r.tickets} ${r.tickets === 1 ? 'ticket' : 'tickets'}, ${price}.`,
  buyWith: 'Buy a ticket by typing',
  free: 'free of charge',
  each: (price) => `${price} each`,
  prizes: 'Prizes',
  won: (text, who) => `${text}: won by ${who}`,
  checkDraw: 'How this draw can be checked',
  checkDrawText: 'The list of tickets was sealed before the random number existed. Anyone can compute the draw again from these numbers, or with “ayni verify”.',
  drawNumbers: { round: 'Round of the public beacon', root: 'Seal of the list of tickets', seed: 'Number drawn from' },
  payouts: 'Paid out',
  payout: (amount, who) => `${amount} to ${who}`,
  voids: (n) => `${n} ${n === 1 ? 'entry does' : 'entries do'} not count`,
  voidsNote: 'Someone signed these, but they break a rule. They change nothing; they are shown so that nobody need wonder.',
  voidColumns: { when: 'When', what: 'What', who: 'Who', why: 'Why' },
  kinds: { 4712: 'vote', 4713: 'ballot', 4714: 'delegation', 4730: 'raffle', 4731: 'ticket', 4741: 'setting', 4742: 'merit', 4750: 'currency rules', 4751: 'account', 4752: 'payment', 4753: 'attestation', 4754: 'request', 4755: 'answer to a request', 4756: 'charge', 37470: 'currency' },
  otherKind: (kind) => `entry of kind ${kind}`,
  back: 'All accounts',
  statement: 'Statement',
  statementCaption: 'Newest first; the balance is the one after each entry.',
  statementColumns: { when: 'When', what: 'What', amount: 'Amount', balance: 'Balance' },
  noEntries: 'No entry yet.',
  csv: 'Download as a spreadsheet (CSV)',
  entry: {
    paid: (who) => `Paid to ${who}`,
    got: (who) => `Received from ${who}`,
    levy: (who) => who ? `Levy: ${who}` : 'Levy',
    charge: (reason) => `Charge: ${reason || 'by the community'}`,
    refund: (who) => `Refund: ${who}`,
  },
  accountFigures: { balance: 'Balance', available: 'Can still spend', limit: 'May owe', pending: 'Being confirmed' },
  noSuchAccount: 'There is no account with this address.',
  sure: 'How do I know that these numbers are right?',
  sureText: 'Every payment, ballot and ticket is signed by the person who made it. Two nodes that hold the same signed entries count the same; compare this check number with another node’s, or count again yourself with “ayni verify”.',
  digest: 'Check number of the books',
  events: 'Signed entries kept',
  version: 'Version',
  peers: 'Other nodes',
  noPeers: 'none yet',
  peer: (p) => `${p.url}: ${p.state}${p.missing ? `, ${p.missing} entries behind` : ''}`,
};

const POLL_SECS = 3;
const API = '/api/v1';

// ---------------------------------------------------------------- reading

/** Answers by address, each with its ETag, so that an unchanged one costs one 304. */
const answers = new Map();

/** The body at this address, or nothing where the node does not answer; sets `changed` on news. */
async function read(path, news) {
  const known = answers.get(path);
  const headers = { Accept: 'application/json' };
  if (known?.etag) headers['If-None-Match'] = known.etag;
  const reply = await fetch(API + path, { headers, cache: 'no-store' });
  if (reply.status === 304 && known) return known.body;
  const text = reply.ok ? await reply.text() : '';
  if (known?.text !== text) news.changed = true;
  const body = reply.ok ? JSON.parse(text) : undefined;
  answers.set(path, { etag: reply.headers.get('ETag'), text, body });
  return body;
}

/** Everything that the present view needs, in as few rounds as the addresses allow. */
async function readAll(route, news) {
  const [node, communities] = await Promise.all([read('/node', news), read('/communities', news)]);
  const id = node?.community ?? communities?.[0]?.id;
  const listed = communities?.find((c) => c.id === id);
  const currencies = listed?.currencies ?? [];
  const at = (addr) => `/currencies/${encodeURIComponent(addr)}`;
  const members = (addr) => `/communities/${id}/members?currency=${encodeURIComponent(addr)}`;
  const ledger = async (addr) => {
    const [currency, accounts] = await Promise.all([read(at(addr), news), read(members(addr), news)]);
    return { addr, currency, members: accounts };
  };
  const soon = [id ? read(`/communities/${id}`, news) : undefined, Promise.all(currencies.map(ledger))];
  if (route) {
    const account = `${at(route.addr)}/accounts/${route.key}`;
    soon.push(read(account, news), read(`${account}/statement`, news));
    const [community, ledgers, one, statement] = await Promise.all(soon);
    return { node, community: community ?? listed, ledgers, account: one, statement };
  }
  soon.push(read('/proposals', news), read('/raffles', news), read('/void', news), read('/listings', news), read('/matches', news));
  const [community, ledgers, proposals, raffles, voids, listings, matches] = await Promise.all(soon);
  return { node, community: community ?? listed, ledgers, proposals, raffles, voids, listings, matches };
}

// ---------------------------------------------------------------- words and numbers

const dates = new Intl.DateTimeFormat(TEXTS.locale, { dateStyle: 'medium', timeStyle: 'short' });

function when(secs) {
  return Number.isFinite(secs) ? dates.format(new Date(secs * 1000)) : '';
}

/** A decimal string as people write it: thousands apart, a true minus. Digits are never rounded. */
function amount(decimal, { plus = false } = {}) {
  const text = String(decimal ?? '');
  const [whole, part] = text.replace(/^-/, '').split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, '\u2009');
  const zero = !/[1-9]/.test(text);
  const sign = zero ? '' : text.startsWith('-') ? '\u2212' : plus ? '+' : '';
  return sign + grouped + (part ? `.${part}` : '');
}

function withUnit(decimal, currency) {
  const unit = currency?.symbol || currency?.code;
  return unit ? `${amount(decimal)}\u00a0${unit}` : amount(decimal);
}

function shortKey(key) {
  return key ? `${key.slice(0, 6)}…${key.slice(-4)}` : '';
}

/** Names of everyone who has an account, by key. */
function namesOf(ledgers) {
  const names = new Map();
  for (const { members } of ledgers) {
    for (const member of members ?? []) names.set(member.account, nameOf(member));
  }
  return (key) => names.get(key) ?? shortKey(key);
}

/** The name of a profile, which anyone may write as they like, with the short name by which people pay. */
function nameOf({ name, code, account }) {
  if (name && code && name !== code) return TEXTS.alsoCalled(name, code);
  return name || code || shortKey(account);
}

// ---------------------------------------------------------------- drawing

/** An element with attributes and children; text stays text. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== ''));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** What others wrote, kept from turning the direction of the line. */
const theirs = (text, attributes) => el('bdi', attributes, text);

/**
 * A bar from zero to `value` on a track from `low` to `high`. The number stands beside it in the
 * table, so the drawing is hidden from those who listen.
 */
function bar(value, low, high) {
  const span = high - low || 1;
  const x = (v) => ((v - low) / span) * 100;
  const [from, to] = value < 0 ? [x(value), x(0)] : [x(0), x(value)];
  return svg('svg', { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { class: 'track', x: 0, y: 4, width: 100, height: 2 }),
    svg('rect', { class: value < 0 ? 'take' : 'give', x: from, y: 1, width: Math.max(to - from, 0), height: 8 }),
    svg('rect', { class: 'zero', x: Math.min(x(0), 99.5), y: -1, width: 0.5, height: 12 }));
}

function tone(decimal) {
  const value = Number(decimal);
  return value < 0 ? 'take' : value > 0 ? 'give' : '';
}

function table(caption, columns, rows) {
  const head = columns.map(({ text, css, hidden }) => el('th', { scope: 'col', class: css },
    hidden ? el('span', { class: 'unseen' }, text) : text));
  return el('div', { class: 'sheet' }, el('table', {},
    el('caption', {}, caption), el('thead', {}, el('tr', {}, head)), el('tbody', {}, rows)));
}

function figures(pairs) {
  const items = pairs.map(([name, value, unit]) => el('div', {},
    el('dt', {}, name), el('dd', {}, value, unit ? el('small', {}, `\u00a0${unit}`) : '')));
  return el('dl', { class: 'figures' }, items);
}

function section(id, title, ...children) {
  return el('section', { id, 'aria-labelledby': `${id}-title` },
    el('h2', { id: `${id}-title` }, title), ...children);
}

function details(id, summary, ...children) {
  return el('details', { id }, el('summary', { id: `${id}-summary` }, summary), ...children);
}

/** As much of an id as the commands need to tell it from others. */
const beginning = ({ id }) => String(id ?? '').slice(0, 12);

/** What is done in a terminal, since the page only reads. */
const typed = (words, command) => el('p', { class: 'quiet' }, `${words} `, el('code', {}, command));

const codes = (pairs) => el('dl', {}, pairs.filter(([, value]) => value !== undefined)
  .flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, el('code', {}, String(value)))]));

// ---------------------------------------------------------------- the community

function headOf({ community }) {
  const place = [community?.region, countryName(community?.country)].filter(Boolean).join(', ');
  const n = community?.witnesses?.length;
  const trust = n ? TEXTS.nodeTrust(community.quorum, n) : '';
  const lead = [place, trust].filter(Boolean).join('. ').replace('.. ', '. ');
  return [el('h1', {}, theirs(community?.name ?? 'Ayni')), el('p', { class: 'lead' }, lead)];
}

function countryName(code) {
  try {
    return code && new Intl.DisplayNames([TEXTS.locale], { type: 'region' }).of(code);
  } catch {
    return code;
  }
}

function overview(all) {
  const names = namesOf(all.ledgers);
  const sure = el('section', { class: 'quiet' }, voidsOf(all, names));
  return [...all.ledgers.flatMap(ledgerOf), marketOf(all, names), votesOf(all, names), rafflesOf(all, names), sure];
}

function ledgerOf({ addr, currency, members }, number) {
  const totals = currency?.totals;
  const unit = currency?.symbol || currency?.code;
  const t = TEXTS.figures;
  const summary = totals && figures([
    [t.accounts, String(totals.accounts)],
    [t.orders, String(totals.orders)],
    [t.volume, amount(totals.volume), unit],
    [t.sum, amount(totals.sum), unit],
  ]);
  const body = !members ? el('p', {}, TEXTS.sectionLost)
    : members.length === 0 ? el('p', { class: 'note' }, TEXTS.noAccounts)
      : accountsTable(addr, currency, members);
  const title = number === 0 ? TEXTS.accounts : currency?.name ?? TEXTS.accounts;
  return [summary, section(`accounts-${number}`, title, el('p', { class: 'note' }, TEXTS.accountsNote), body)]
    .filter(Boolean);
}

function accountsTable(addr, currency, members) {
  const reach = Math.max(...members.map((m) => Math.abs(Number(m.balance))), 0) || 1;
  const c = TEXTS.columns;
  const sorted = [...members].sort((a, b) => nameOf(a).localeCompare(nameOf(b), TEXTS.locale));
  const rows = sorted.map((m) => {
    const href = `#/account/${encodeURIComponent(addr)}/${m.account}`;
    const notes = [TEXTS.types[m.type], TEXTS.statuses[m.status]].filter(Boolean).join(', ');
    return el('tr', {},
      el('th', { scope: 'row' }, el('a', { href, id: `to-${addr}-${m.account}` }, theirs(nameOf(m))),
        notes && el('small', {}, notes)),
      el('td', { class: 'draw' }, bar(Number(m.balance), -reach, reach)),
      el('td', { class: `number ${tone(m.balance)}` }, amount(m.balance, { plus: true })),
      el('td', { class: 'number quiet wide' }, m.limit === null || m.limit === undefined ? '' : amount(m.limit)));
  });
  return table(TEXTS.accountsCaption(currency?.name ?? ''), [
    { text: c.who }, { text: c.drawn, css: 'draw', hidden: true },
    { text: c.balance, css: 'number' }, { text: c.limit, css: 'number wide' },
  ], rows);
}

// ---------------------------------------------------------------- votes

function votesOf({ proposals }, names) {
  const note = el('p', { class: 'note' }, TEXTS.votesNote);
  if (!proposals) return section('votes', TEXTS.votes, el('p', {}, TEXTS.sectionLost));
  if (proposals.length === 0) return section('votes', TEXTS.votes, el('p', { class: 'note' }, TEXTS.noVotes));
  const quadratic = proposals.some((p) => p.method === 'quadratic');
  return section('votes', TEXTS.votes, quadratic ? note : '', proposals.map((p) => voteOf(p, names)));
}

function voteOf(proposal, names) {
  const state = TEXTS.voteState[proposal.state]?.(proposal) ?? proposal.state;
  const final = ['certified', 'executed', 'rejected'].includes(proposal.state);
  const remarks = [
    TEXTS.turnout(proposal),
    proposal.quorum_met === false && TEXTS.quorumMissed(proposal),
    final && !proposal.outcome?.length && TEXTS.nothingChosen,
    proposal.provisional && TEXTS.provisional,
  ].filter(Boolean).join(' ');
  return el('article', {},
    el('h3', {}, theirs(proposal.title)),
    el('p', { class: 'state' }, state),
    proposal.state === 'scheduled' ? '' : scores(proposal),
    el('p', {}, remarks),
    proposal.state === 'open'
      ? typed(TEXTS.voteWith, `ayni vote ${beginning(proposal)} OPTION=VOTES`)
      : typed(TEXTS.seeWith, `ayni tally ${beginning(proposal)}`),
    spoiledOf(proposal, names));
}

function scores({ options = [], outcome }) {
  const values = options.map((o) => Number(o.score ?? 0));
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values) || (low === 0 ? 1 : 0);
  const c = TEXTS.voteColumns;
  const rows = options.map((o, at) => {
    const chosen = outcome?.includes(o.id);
    return el('tr', { class: chosen ? 'chosen' : undefined },
      el('th', { scope: 'row' }, theirs(o.label || o.id),
        chosen ? [' ', el('span', { class: 'badge give' }, TEXTS.chosen)] : ''),
      el('td', { class: 'draw' }, bar(values[at], low, high)),
      el('td', { class: `number ${low < 0 ? tone(values[at]) : ''}` }, amount(values[at], { plus: low < 0 })));
  });
  return table(low < 0 ? TEXTS.voteCaptionSigned : TEXTS.voteCaption, [
    { text: c.option }, { text: c.drawn, css: 'draw', hidden: true }, { text: c.score, css: 'number' },
  ], rows);
}

function spoiledOf({ id, spoiled = [] }, names) {
  if (spoiled.length === 0) return '';
  const items = spoiled.map((s) => el('li', {}, theirs(TEXTS.spoiledItem(names(s.voter), s.reason))));
  return details(`spoiled-${id}`, TEXTS.spoiled(spoiled.length), el('ul', {}, items));
}

// ---------------------------------------------------------------- offers and wants

function marketOf({ listings, matches, ledgers }, names) {
  if (!listings) return section('market', TEXTS.market, el('p', {}, TEXTS.sectionLost));
  if (listings.length === 0) return section('market', TEXTS.market, el('p', { class: 'note' }, TEXTS.noListings));
  const c = TEXTS.marketColumns;
  const rows = listings.map((one) => el('tr', {},
    el('th', { scope: 'row' }, theirs(one.title),
      one.type === 'want' ? [' ', el('span', { class: 'badge take' }, TEXTS.wanted)] : '',
      one.summary ? el('small', {}, theirs(one.summary)) : ''),
    el('td', {}, theirs(names(one.trader?.account))),
    el('td', { class: 'number' }, theirs(priceOf(one, ledgers))),
    el('td', {}, theirs(one.location ?? ''))));
  const sheet = table(TEXTS.marketCaption, [
    { text: c.what }, { text: c.who }, { text: c.price, css: 'number' }, { text: c.place },
  ], rows);
  return section('market', TEXTS.market, el('p', { class: 'note' }, TEXTS.marketNote), sheet, ringsOf(matches));
}

function priceOf({ price, currency }, ledgers) {
  if (!price) return '';
  const ledger = ledgers.find(({ addr }) => addr === currency);
  const sum = ledger ? withUnit(price.amount, ledger.currency) : `${price.amount} ${price.unit}`;
  return price.per ? TEXTS.per(sum, price.per) : sum;
}

function ringsOf(matches) {
  const rings = matches?.rings ?? [];
  if (rings.length === 0) return '';
  const items = rings.map(({ sentence }) => el('li', {}, theirs(sentence)));
  return details('rings', TEXTS.rings(rings.length), el('p', { class: 'note' }, TEXTS.ringsNote), el('ul', {}, items));
}

// ---------------------------------------------------------------- raffles

function rafflesOf({ raffles, ledgers }, names) {
  if (!raffles) return section('raffles', TEXTS.raffles, el('p', {}, TEXTS.sectionLost));
  if (raffles.length === 0) return section('raffles', TEXTS.raffles, el('p', { class: 'note' }, TEXTS.noRaffles));
  return section('raffles', TEXTS.raffles, raffles.map((r) => raffleOf(r, ledgers, names)));
}

function raffleOf(raffle, ledgers, names) {
  const ledger = ledgers.find(({ addr }) => addr === raffle.currency) ?? ledgers[0];
  const paid = /[1-9]/.test(raffle.price ?? '');
  const price = paid ? TEXTS.each(withUnit(raffle.price, ledger?.currency)) : TEXTS.free;
  const won = new Map((raffle.draw?.winners ?? []).map((w) => [w.prize, names(w.pk)]));
  const prizes = (raffle.prizes ?? []).map(({ n, text }) => el('li', { class: won.has(n) ? 'chosen' : undefined },
    theirs(won.has(n) ? TEXTS.won(text, won.get(n)) : text)));
  return el('article', {},
    el('h3', {}, theirs(raffle.title)),
    el('p', { class: 'state' }, TEXTS.raffleState[raffle.state]?.(raffle) ?? raffle.state),
    el('p', {}, TEXTS.tickets(raffle, price)),
    el('ul', { 'aria-label': TEXTS.prizes }, prizes),
    raffle.state === 'open'
      ? typed(TEXTS.buyWith, `ayni raffle buy ${beginning(raffle)} 1`)
      : typed(TEXTS.seeWith, `ayni raffle show ${beginning(raffle)}`),
    payoutsOf(raffle, ledger, names),
    drawOf(raffle));
}

function payoutsOf({ payouts = [] }, ledger, names) {
  if (payouts.length === 0) return '';
  const list = payouts.map((p) => TEXTS.payout(withUnit(p.amount, ledger?.currency), names(p.to)));
  return el('p', {}, `${TEXTS.payouts}: `, theirs(list.join('; ')));
}

function drawOf({ id, draw }) {
  if (!draw) return '';
  const t = TEXTS.drawNumbers;
  return details(`draw-${id}`, TEXTS.checkDraw, el('p', {}, TEXTS.checkDrawText),
    codes([[t.round, draw.round], [t.root, draw.root], [t.seed, draw.seed]]));
}

// ---------------------------------------------------------------- what does not count, and the proof

function voidsOf({ voids }, names) {
  if (!voids?.length) return '';
  const c = TEXTS.voidColumns;
  const rows = voids.map((v) => el('tr', {},
    el('td', {}, when(v.created_at)),
    el('th', { scope: 'row' }, TEXTS.kinds[v.kind] ?? TEXTS.otherKind(v.kind)),
    el('td', {}, theirs(names(v.author))),
    el('td', {}, theirs(v.sentence || v.reason))));
  return details('voids', TEXTS.voids(voids.length), el('p', { class: 'note' }, TEXTS.voidsNote),
    table('', [{ text: c.when }, { text: c.what }, { text: c.who }, { text: c.why }], rows));
}

function footOf({ node }) {
  if (!node) return [];
  const peers = node.peers?.length ? node.peers.map(TEXTS.peer).join('; ') : TEXTS.noPeers;
  return [details('sure', TEXTS.sure, el('p', { class: 'note' }, TEXTS.sureText), codes([
    [TEXTS.digest, node.digest], [TEXTS.events, node.events], [TEXTS.peers, peers], [TEXTS.version, node.version],
  ]))];
}

// ---------------------------------------------------------------- one account

function accountOf({ account, statement, ledgers }, { addr, key }) {
  const back = el('p', {}, el('a', { href: '#', id: 'back' }, `‹\u00a0${TEXTS.back}`));
  const ledger = ledgers.find((one) => one.addr === addr);
  const member = ledger?.members?.find((one) => one.account === key);
  if (!account) return [back, el('p', {}, TEXTS.noSuchAccount)];
  const unit = ledger?.currency?.symbol || ledger?.currency?.code;
  const t = TEXTS.accountFigures;
  const pending = /[1-9]/.test(account.pending ?? '') ? [[t.pending, amount(account.pending), unit]] : [];
  const numbers = figures([
    [t.balance, amount(account.balance, { plus: true }), unit],
    [t.available, amount(account.available), unit],
    [t.limit, amount(account.limit), unit],
    ...pending,
  ]);
  const csv = `${API}/currencies/${encodeURIComponent(addr)}/accounts/${key}/statement?format=csv`;
  const entries = statement?.entries ?? [];
  const body = entries.length === 0 ? el('p', { class: 'note' }, TEXTS.noEntries)
    : statementTable(entries, namesOf(ledgers));
  return [back, el('h2', { class: 'who' }, theirs(member ? nameOf(member) : shortKey(key))), numbers,
    section('statement', TEXTS.statement, body,
      el('p', {}, el('a', { href: csv, download: `${member?.code || shortKey(key)}.csv`, id: 'csv' }, TEXTS.csv)))];
}

function statementTable(entries, names) {
  const c = TEXTS.statementColumns;
  const rows = [...entries].reverse().map((entry) => el('tr', {},
    el('td', { class: 'quiet' }, when(entry.time)),
    el('th', { scope: 'row' }, theirs(entryText(entry, names)), entry.memo ? el('small', {}, theirs(entry.memo)) : ''),
    el('td', { class: `number ${tone(entry.amount)}` }, amount(entry.amount, { plus: true })),
    el('td', { class: 'number' }, amount(entry.balance))));
  return table(TEXTS.statementCaption, [
    { text: c.when }, { text: c.what }, { text: c.amount, css: 'number' }, { text: c.balance, css: 'number' },
  ], rows);
}

function entryText({ type, counterparty, amount: moved, reason, refund_of: refunded }, names) {
  const who = names(counterparty);
  if (type === 'charge') return TEXTS.entry.charge(reason);
  if (type === 'levy') return TEXTS.entry.levy(who);
  if (type === 'refund' || refunded) return TEXTS.entry.refund(who);
  return String(moved).startsWith('-') ? TEXTS.entry.paid(who) : TEXTS.entry.got(who);
}

// ---------------------------------------------------------------- keeping it live

/** The account in the address, or nothing for the overview. */
function routeNow() {
  const [, page, addr, key] = location.hash.split('/');
  return page === 'account' && /^[0-9a-f]{64}$/.test(key ?? '') ? { addr: decodeURIComponent(addr), key } : undefined;
}

/** Replaces what an element holds, keeping what was open open and the focus where it was. */
function fill(id, children) {
  const place = document.getElementById(id);
  const open = [...place.querySelectorAll('details[open]')].map((one) => one.id);
  const focused = place.contains(document.activeElement) ? document.activeElement.id : '';
  place.replaceChildren(...children.flat());
  for (const one of open) document.getElementById(one)?.setAttribute('open', '');
  if (focused && focused !== id) document.getElementById(focused)?.focus({ preventScroll: true });
}

function show(all, route) {
  fill('head', headOf(all));
  fill('main', route ? accountOf(all, route) : overview(all));
  fill('foot', footOf(all));
  document.title = all.community?.name ?? 'Ayni';
}

let turn = 0;

/** Reads, and draws if there is news or the view is another one. A newer turn overtakes an older. */
async function refresh(force) {
  const mine = ++turn;
  const news = { changed: force };
  const route = routeNow();
  const status = document.getElementById('status');
  try {
    const all = await readAll(route, news);
    if (mine !== turn) return;
    if (news.changed) show(all, route);
    status.textContent = '';
  } catch {
    if (mine === turn) status.textContent = TEXTS.lost;
  }
}

addEventListener('hashchange', async () => {
  await refresh(true);
  scrollTo(0, 0);
  document.getElementById('main').focus();
});

async function keepLive() {
  if (!document.hidden) await refresh(false);
  setTimeout(keepLive, POLL_SECS * 1000);
}

const skip = document.getElementById('skip');
skip.textContent = TEXTS.skip;
skip.addEventListener('click', (event) => {
  event.preventDefault();
  document.getElementById('main').focus();
});
document.getElementById('status').textContent = TEXTS.loading;
await refresh(true);
setTimeout(keepLive, POLL_SECS * 1000);
