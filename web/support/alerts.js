// What calls somebody who looks elsewhere: a number in the window's title, and two beats of the drum if one wants them.

const KEPT = "kulkul.desk.sound";

/** A wooden slit drum, more or less: a low tone that falls, and its overtone. */
const TONES = [[196, 0.5], [523, 0.12]];

export const alerts = {
  isOn: false,
  /** @type {AudioContext | null} */
  audio: null,

  recall() {
    try {
      this.isOn = localStorage.getItem(KEPT) === "on";
    } catch {
      // Storage may be turned off; then it is silent until one says otherwise.
    }
  },

  /** @param {boolean} on */
  turn(on) {
    this.isOn = on;
    try {
      localStorage.setItem(KEPT, on ? "on" : "off");
    } catch {
      // As above.
    }
    if (on) this.beat();
  },

  /** Browsers allow no sound before one has pressed something on the page. */
  beat() {
    if (!this.isOn || (navigator.userActivation && !navigator.userActivation.hasBeenActive)) return;
    this.audio ??= new AudioContext();
    for (const after of [0, 0.16]) for (const [hertz, volume] of TONES) this.tone(this.audio, hertz, volume, this.audio.currentTime + after);
  },

  /** @param {AudioContext} audio @param {number} hertz @param {number} volume @param {number} at */
  tone(audio, hertz, volume, at) {
    const [voice, gain] = [audio.createOscillator(), audio.createGain()];
    voice.frequency.setValueAtTime(hertz, at);
    voice.frequency.exponentialRampToValueAtTime(hertz * 0.7, at + 0.18);
    gain.gain.setValueAtTime(volume * 0.5, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.22);
    voice.connect(gain).connect(audio.destination);
    voice.start(at);
    voice.stop(at + 0.24);
  },

  /** @param {number} count @param {string} title */
  title(count, title) {
    const words = `${count > 0 ? `(${count}) ` : ""}${title} · Kulkul`;
    if (document.title !== words) document.title = words;
  },
};
