// What is found in a lesson comes first, then pages of text, then the package.
"use strict";

var Scorer = {
  score: ([page, , , , score]) => score + (/^\d\d_/.test(page) ? 20 : page.startsWith("api-") ? -20 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
