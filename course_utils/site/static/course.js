// What pages do: folds open, wide things scroll by keyboard, sliders show pictures drawn beforehand.
"use strict";

(() => {
  // Folds are open on paper.
  const opened = [];
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details:not([open])")) {
      fold.open = true;
      opened.push(fold);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const fold of opened.splice(0)) fold.open = false;
  });

  // A link to something inside a fold opens it.
  const reveal = () => {
    const target = document.querySelector(":target");
    for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  // What is wider than its place is reached by the tab key, so that arrows can scroll it.
  const reach = () => {
    for (const wide of document.querySelectorAll("article pre, article div.math, .table-wrapper, .text_html")) {
      if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
      else wide.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", reach);
  window.addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);

  const element = (kind, about = {}, ...children) => {
    const made = Object.assign(document.createElement(kind), about);
    made.append(...children);
    return made;
  };

  let count = 0;

  function build(box) {
    const told = JSON.parse(box.querySelector("script").textContent);
    const image = box.closest(".cell_output").querySelector("img");
    const folder = box.dataset.folder;
    const name = `explorer-${count++}`;
    const at = told.controls.map((control) => control.start);
    const moves = []; // of each control: show where it stands
    const pictures = new Map();
    let wishes = 0; // counted, so that a picture that comes late is dropped

    // The stored picture keeps its place until the first frame is there.
    const canvas = element("canvas", { width: told.pixels[0], height: told.pixels[1] });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", told.alt);
    canvas.style.width = `${told.width}px`;
    const pen = canvas.getContext("2d");
    const line = box.querySelector(".said") ?? element("p", { className: "said" });
    line.setAttribute("role", "status");
    line.setAttribute("aria-live", "polite");

    const picture = (file) => {
      if (!pictures.has(file)) {
        const loaded = new Image();
        loaded.src = `${folder}${file}.webp`;
        pictures.set(file, loaded.decode().then(() => loaded));
        pictures.get(file).catch(() => pictures.delete(file)); // it may be asked for again
      }
      return pictures.get(file);
    };

    async function show() {
      const wish = ++wishes;
      const [number, said] = told.frames[at.join(",")];
      let parts;
      try {
        parts = await Promise.all([picture("base"), picture(number)]);
      } catch {
        if (wish === wishes) line.textContent = "This picture could not be loaded.";
        return;
      }
      if (wish !== wishes) return;
      for (const part of parts) pen.drawImage(part, 0, 0);
      if (line.textContent !== said) line.textContent = said;
      if (!canvas.isConnected) (image.closest("a") ?? image).replaceWith(canvas);
      canvas.dataset.frame = number;
    }

    function set(which, position) {
      const { kind, group } = told.controls[which];
      told.controls.forEach((control, other) => {
        const both = kind === "slider" && control.kind === "slider";
        if (both && control.group !== group) at[other] = control.start;
      });
      at[which] = position;
      for (const move of moves) move();
      show();
    }

    const controls = told.controls.map((control, which) => {
      if (control.kind === "choice") {
        const buttons = control.shown.map((text, position) => {
          const button = element("input", { type: "radio", name: `${name}-${which}` });
          button.checked = position === control.start;
          button.addEventListener("change", () => set(which, position));
          return element("label", {}, button, ` ${text}`);
        });
        moves.push(() => {});
        const legend = element("legend", { textContent: control.label });
        return element("fieldset", {}, legend, ...buttons);
      }
      const id = `${name}-${which}`;
      const input = element("input", { id, type: "range", min: 0, step: 1 });
      input.max = control.shown.length - 1;
      input.value = control.start;
      const readout = element("span", { className: "readout" });
      readout.setAttribute("aria-hidden", "true"); // the slider says it itself
      moves.push(() => {
        input.value = at[which];
        readout.textContent = control.shown[at[which]];
        input.setAttribute("aria-valuetext", control.shown[at[which]]);
      });
      moves[which]();
      input.addEventListener("input", () => set(which, Number(input.value)));
      return element(
        "div",
        { className: "slider" },
        element("label", { htmlFor: id, textContent: control.label }),
        input,
        readout,
      );
    });

    const kept = told.controls.filter((c) => c.kind === "slider" && c.shown.length < c.of);
    const notes = [];
    if (kept.length) {
      const counts = kept.map((control) => `${control.shown.length} of ${control.of}`);
      notes.push(`Drawn here: ${counts.join(", ")} positions; a notebook has all.`);
    }
    for (const control of told.controls.filter((c) => c.group > 0)) {
      notes.push(`“${control.label}” moves alone: the other sliders then go back to their start.`);
    }
    if (notes.length) controls.push(element("p", { className: "note", textContent: notes.join(" ") }));
    const panel = element("div", { className: "controls" }, ...controls);
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", "Controls of the figure");
    image.closest(".output, .cell_output").before(panel);
    box.append(line);

    // All frames come once the figure is in view and the page has nothing else to do.
    show();
    const waiting = Object.values(told.frames).map(([number]) => number);
    const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
    const fetchNext = () => {
      const number = waiting.shift();
      if (number === undefined) return;
      picture(number).catch(() => {}).finally(() => idle(fetchNext));
    };
    idle(fetchNext);
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          build(entry.target);
        }
      }
    },
    { rootMargin: "400px" },
  );
  for (const box of document.querySelectorAll(".explorer[data-folder]")) watcher.observe(box);
})();
