"""The conversation of scenario.json over any client, and a line told for each way to bring the token and to compress."""

import asyncio
import json
import os
import pathlib
import sys

PATIENCE = 10
FRAMES_MAX = 100
ASKED = json.loads(os.environ["KULKUL_INTEROP"])
STEPS = json.loads((pathlib.Path(__file__).parent.parent / "scenario.json").read_text())


def entrance(place, who):
    """Address, subprotocols and headers for a token in its place."""
    token = ASKED["tokens"][who]
    if place == "query":
        return ASKED["url"] + "?token=" + token, [], {}
    if place == "subprotocol":
        return ASKED["url"], ["kulkul", "bearer." + token], {}
    return ASKED["url"], [], {"Authorization": "Bearer " + token}


def filled(value, words):
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, list):
        return [filled(inner, words) for inner in value]
    if isinstance(value, dict):
        return {key: filled(inner, words) for key, inner in value.items()}
    return value


def holds(frame, wanted):
    if not isinstance(wanted, dict):
        return frame == wanted
    return isinstance(frame, dict) and all(holds(frame.get(key), inner) for key, inner in wanted.items())


async def act(step, words, people, connect):
    who = step["who"]
    if step["do"] == "connect":
        people[who] = await connect(who)
    elif step["do"] == "say":
        await people[who].say(json.dumps(filled(step["frame"], words)))
    elif step["do"] == "hear":
        wanted = filled(step["frame"], words)
        for _ in range(FRAMES_MAX):
            frame = json.loads(await people[who].hear())
            if holds(frame, wanted):
                return
            if frame["type"] == "error":
                raise RuntimeError(json.dumps(frame))
        raise RuntimeError(f"{FRAMES_MAX} frames, and not one is {wanted}")
    elif step["do"] == "close":
        code = await people[who].close(step["code"])
        if code != step["code"]:
            raise RuntimeError(f"closed with {code}, expected {step['code']}")
    else:
        raise RuntimeError("no such step")


async def played(room, connect):
    words = {"$room": room, "$long": "a message that is worth compressing, ä🐎 " * 12}
    words |= {f"${who}": token for who, token in ASKED["tokens"].items()}
    people = {}
    for number, step in enumerate(STEPS, 1):
        try:
            await asyncio.wait_for(act(step, words, people, connect), PATIENCE)
        except Exception as error:
            raise RuntimeError(f"step {number}, {step['who']} {step['do']}: {error!r}") from error
    return len(STEPS)


async def tell(connect):
    """`connect(entrance, deflate)` gives an open connection that says, hears and closes. The first failure is the last."""
    for place in ["query", "subprotocol", "header"]:
        for deflate in ["on", "off"]:
            told = {"place": place, "deflate": deflate}

            async def enter(who):
                connection, agreed = await connect(*entrance(place, who), deflate == "on")
                if agreed != (deflate == "on"):
                    raise RuntimeError(f"compression agreed on: {agreed}")
                return connection

            try:
                told["steps"] = await played(f"{ASKED['room']}-{place}-{deflate}", enter)
            except Exception as error:
                told["why"] = str(error)
            print(json.dumps(told), flush=True)
            if "why" in told:
                sys.exit(1)
