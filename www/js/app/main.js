/**
 * The chat page: asks who is signed in, builds the page's parts, and starts.
 */

import { placeOf } from '../core/route.js';
import { channelsDialog, joinChannel, leaveDialog } from '../dialogs/channels.js';
import { inviteDialog } from '../dialogs/invite.js';
import { addMemberDialog, peopleDialog } from '../dialogs/people.js';
import { settingsDialog } from '../dialogs/settings.js';
import { attachView } from '../files/attach.js';
import { Files } from '../files/files.js';
import { filesView } from '../files/view.js';
import { openStore } from '../store/db.js';
import { byId, setText } from '../ui/dom.js';
import { placeIcons } from '../ui/icons.js';
import { t, translate } from '../ui/i18n.js';
import { bannerView } from '../view/banner.js';
import { composerView } from '../view/composer.js';
import { panels } from '../view/panels.js';
import { headerView } from '../view/header.js';
import { linkView } from '../view/link.js';
import { membersView } from '../view/members.js';
import { messagesView } from '../view/messages.js';
import { placesView } from '../view/places.js';
import { welcomeView } from '../view/welcome.js';
import { Chat } from './chat.js';
import { showTitle, watchArrivals } from './notify.js';
import { whoAmI } from './whoami.js';

translate(document);
placeIcons(document);
const account = await whoAmI(() => {
  byId('banner').hidden = false;
  byId('banner-action').hidden = true;
  setText(byId('banner-text'), t('banner.connecting'));
});
const chat = new Chat(account, await openStore(account.username));
const { toggleMembers } = panels(chat);
const files = new Files(chat);
const fileRows = filesView(chat, files, attachView(chat, files));

const views = [
  placesView(chat), headerView(chat, { members: toggleMembers, leave: (channel) => leaveDialog(chat, channel) }), 
  messagesView(chat, fileRows), composerView(chat, chat.p2p.enabled), membersView(chat), bannerView(chat), welcomeView(chat), linkView(chat),
];
const draw = () => {
  for (const view of views) view();
  showTitle(chat);
};
chat.addEventListener('change', draw);
addEventListener('languagechosen', draw);
setInterval(() => chat.sync.tidy(), 60_000);
watchArrivals(chat);

byId('browse-channels').addEventListener('click', () => channelsDialog(chat));
byId('browse-people').addEventListener('click', () => peopleDialog(chat));
byId('invite').addEventListener('click', () => inviteDialog(chat));
byId('account').addEventListener('click', () => settingsDialog(chat));
byId('add-member').addEventListener('click', () => chat.active && addMemberDialog(chat, chat.active.name));
byId('join').addEventListener('click', async () => {
  if (chat.active && (await joinChannel(chat, chat.active.name))) byId('text').focus();
});

// By hand: left to the browser, it would take the conversation's place in the address, and the focus comes late.
document.querySelector('.skip')?.addEventListener('click', (event) => {
  event.preventDefault();
  byId(byId('composer').hidden ? 'join' : 'text').focus();
});

// The address names the conversation: links, reload and the back button work.
const follow = () => {
  const place = placeOf(location.hash);
  if (place?.kind === 'direct' || (place && chat.model.channels.has(place.name))) chat.open(place);
  else chat.goHome();
};
addEventListener('popstate', follow);
chat.addEventListener('ready', follow);
await chat.start();
