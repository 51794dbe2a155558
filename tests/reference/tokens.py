#!/usr/bin/env python3
"""Pieces of 1,000 texts as the tokenizers of open_clip and of transformers cut them.

    python3 tests/reference/tokens.py    writes tokens.json beside this file

Each row is a text and its numbers by open_clip without the two markers; where transformers gives others, these follow.
The vocabulary is the one that open_clip carries. Texts are made of what prompts are made of, and of what is hard to cut.
Needs open_clip_torch, transformers.
"""

import gzip
import json
import random
from pathlib import Path

import open_clip.tokenizer
from transformers import CLIPTokenizer

HERE = Path(__file__).parent
THINGS = """tabby cat|golden retriever|space shuttle|fire truck|castle on a hill|Siberian husky|bald eagle|hot-air balloon|
daisy field|snow leopard|espresso machine|lighthouse at dusk|acoustic guitar|red panda|volcano|jellyfish|steam locomotive|
hermit crab|Egyptian cat|cheeseburger|grand piano|monarch butterfly|king's guard|coral reef|analog clock|mountain bike|
Komodo dragon|strawberry|sea otter|pirate ship|hummingbird|school bus|mushroom|waterfall|geyser|T-shirt|teddy bear|
axolotl|velociraptor|pneumonoultramicroscopicsilicovolcanoconiosis|supercalifragilistic pony""".replace("\n", "").split("|")
STYLES = """oil painting|photograph|watercolour|35mm film|octane render|ukiyo-e woodblock print|charcoal sketch|8k UHD|
pixel art|isometric|low-poly|macro shot|in the style of Van Gogh|trending on ArtStation|stained glass|cinematic lighting|
f/1.8|ISO 400|highly detailed|award-winning|bokeh|Kodak Portra 400|(masterpiece:1.2)|[blurry]|{best quality}|--ar 16:9""".replace(
    "\n", ""
).split("|")
FRAMES = ["a photo of a {}", "A {}, {}", "{} | {}", "the {} and the {}", "it's a {}; they're {}!", "don't show the {}",
          "WE'VE GOT {}?!", "{}...{}", "{}\t{}\n", "  {}   {}  ", "“{}” isn’t ‘{}’", "#{} @{} & co.", "{}/{}", "I'll {} you'd {} she's",
          "<{}> {}", "{} &amp; {}", "{}: {} %d $5.99", "1{}2{}3", "{}_{}", "{}-{}—{}"]  # fmt: skip
OTHERS = """Ein Mädchen mit Perlenohrring|un château à Fontainebleau|日本の桜と富士山|東京タワー、夜|кот в сапогах|Привет, МИР|
قطة صغيرة|แมวบนโต๊ะ|고양이와 강아지|ελληνικό νησί|İstanbul'da kedi|Łódź i Kraków|¿Dónde está el gato?|smörgåsbord|naïve café|😀😺🐈‍⬛|👩‍🚀 on 🌕|
x² + y² = r²|½ cup|5 €|№ 7|…|!!!|?!?|' '' '''|""|a|I|0|2024-05-17|3.14159|10,000|v1.5.2|foo_bar|user@example.com|C++|C#|a+b=c|~50%|
ﬁne ﬂow oﬀice|ＦＵＬＬ　ＷＩＤＴＨ|Ａ１|&lt;b&gt;|&#39;quoted&#39;|&quot;x&quot;|5 &gt; 3|R&D|AT&T; inc|<start_of_text>|a<end_of_text>b|<|endoftext|>|ΟΔΥΣΣΕΥΣ ο σοφός|
straße|ĲSSEL|don`t|rock 'n' roll|'twas|y'all'd've|O'Reilly|l'été|CamelCaseWord|ALLCAPS|x\u00a0y|zero\u200bwidth|soft\u00adhyphen|tab\tbed|
long """.replace("\n", "").split("|") + ["lo" + "o" * 60 + "ng", "ab" * 45, "!?" * 40, "7" * 30, "é" * 25, "word " * 90]  # fmt: skip


def texts():
    chance = random.Random(6)
    found = list(dict.fromkeys(OTHERS))
    while len(found) < 1000:
        frame = chance.choice(FRAMES)
        words = [chance.choice(chance.choice([THINGS, THINGS, STYLES, OTHERS])) for _ in range(frame.count("{}"))]
        text = frame.format(*words)
        if chance.random() < 0.1:
            text = text.upper()
        if len(text) < 120 and text not in found:
            found.append(text)
    return found


def transformers_tokenizer():
    theirs = open_clip.tokenizer.SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(piece, piece): number for piece, number in theirs.encoder.items()}
    merges = gzip.open(open_clip.tokenizer.default_bpe()).read().decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    return CLIPTokenizer(vocab=vocabulary, merges=[tuple(merge.split()) for merge in merges])


def main():
    first, second = open_clip.tokenizer.SimpleTokenizer(), transformers_tokenizer()
    rows = []
    for text in texts():
        # As a tower of 77 reads them.
        a, b = first.encode(text)[:75], second(text, add_special_tokens=False)["input_ids"][:75]
        rows.append([text, a] if a == b else [text, a, b])
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    (HERE / "tokens.json").write_text("[" + ",\n".join(lines) + "]\n")
    print(len(rows), "texts,", sum(len(row) == 3 for row in rows), "cut in two ways")


if __name__ == "__main__":
    main()
