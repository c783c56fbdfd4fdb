// What every page loads. Each module is one behaviour and finds its own place by `data-` attributes; a page without them
// is left alone, and every page works without any of this.
//
// Nothing imports this file: the page names it with a version, and under another address it would be another module.

import * as board from "./board.js";
import * as drafts from "./drafts.js";
import * as counts from "./counts.js";
import * as sending from "./sending.js";
import * as similar from "./similar.js";
import * as tabs from "./tabs.js";
import * as tally from "./tally.js";
import * as watching from "./watching.js";

drafts.start();
counts.start();
similar.start();
sending.start();
board.start();
tabs.start();
tally.start();
watching.start();
