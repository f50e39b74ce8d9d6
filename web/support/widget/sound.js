// Two beats of the drum for a message that nobody is looking at. Off until the page or the visitor wants it, and silent until the
// visitor has touched the window: browsers let nothing sound before that.

import { kept } from "./kept.js";

const BEATS = [
  { after: 0, hertz: 520 },
  { after: 0.13, hertz: 390 },
];
const LOUD = 0.16;
const FADE_S = 0.22;

/** @type {AudioContext | null} */
let audio = null;

export const sound = {
  /** What the tag says, until the visitor has said something. */
  otherwise: false,

  get isOn() {
    return kept.now.sound ?? this.otherwise;
  },

  turn() {
    kept.keep({ sound: !this.isOn });
    if (this.isOn) this.beat();
  },

  beat() {
    if (!this.isOn || navigator.userActivation?.hasBeenActive === false) return;
    audio ??= new AudioContext();
    if (audio.state === "suspended") void audio.resume().catch(() => {});
    const { currentTime } = audio;
    for (const { after, hertz } of BEATS) {
      const [wood, loudness] = [audio.createOscillator(), audio.createGain()];
      const from = currentTime + after;
      wood.type = "triangle";
      wood.frequency.setValueAtTime(hertz, from);
      wood.frequency.exponentialRampToValueAtTime(hertz * 0.6, from + FADE_S);
      loudness.gain.setValueAtTime(LOUD, from);
      loudness.gain.exponentialRampToValueAtTime(0.001, from + FADE_S);
      wood.connect(loudness).connect(audio.destination);
      wood.start(from);
      wood.stop(from + FADE_S);
    }
  },
};
