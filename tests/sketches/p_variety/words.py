"""What the streamer says and an audience writes, and what each sort of game calls its things."""

from __future__ import annotations

import numpy as np

GAMES: dict[str, dict[str, str]] = {
    "adventure": {
        "title": "Lanternfall Road",
        "foe": "the stone guardian|the bog knight|that heron thing|the tollkeeper|the bell witch",
        "thing": "the copper key|the moth lantern|a river map|the old bow|the ferry token",
        "place": "the drowned chapel|the mill|the upper bridge|the orchard gate|the salt cave",
        "act": "talk to the miller again|follow this path down|try the left door|read this sign first",
    },
    "roguelike": {
        "title": "Cinder Vault",
        "foe": "the spider priest|the twin furnaces|that elite slime|the clockwork duke|the bone choir",
        "thing": "a frost ring|the double dagger|the leech charm|a purple relic|the glass hammer",
        "place": "floor three|the shop room|the cursed room|the vault door|the fifth floor",
        "act": "reroll the shop|skip this relic|take the poison build|go left and heal first",
    },
    "ball": {
        "title": "Touchline Nine",
        "foe": "their keeper|number nine|the left back|Harrow Town|that tall defender",
        "thing": "the through ball|a clean tackle|the near post|the low cross|a free kick",
        "place": "the far side|the box|midfield|the wing|the halfway line",
        "act": "switch the play|push the full backs up|slow it down a bit|bring on fresh legs",
    },
    "platformer": {
        "title": "Pogo Meridian",
        "foe": "the saw blade|that flying crab|the cannon plant|the ghost block|the ice owl",
        "thing": "the spring boots|the third gem|the bonus key|a spare life|the glide cape",
        "place": "world four|the moving platforms|the spike hall|the ice level|the last checkpoint",
        "act": "take the top route|wall jump here|wait for the platform|skip the coins this time",
    },
    "survival": {
        "title": "Hollow Pines",
        "foe": "the pale deer|that thing outside|the cellar man|the wolves|whatever is upstairs",
        "thing": "the flare gun|two batteries|some dry wood|the axe|a can of beans",
        "place": "the cabin|the radio tower|the frozen lake|the basement|the ranger station",
        "act": "board up this window|get wood before dark|check the shed|cook this meat first",
    },
}
VIEWERS = "mossyfork|tea_gremlin|pixelotter|harold_9|nightbusjo|quillfish|beanlord|saltyduck|ennui22|roofgoat"

SAID: dict[str, str] = {
    "idle": """So I finally fixed the shelf behind me, it only took three weeks.
I had soup for dinner and I am not proud of it.|I think the rain is supposed to stop tomorrow.
My sister visited on the weekend and we just watched cooking shows.
Somebody asked about the microphone, it is the same one as always.
I changed the lights a little, tell me if it is too dark.
I need to get a new chair, this one makes a noise every time I lean.
We started a bit late today because of the train.|I was thinking about doing a longer stream on Sunday.
There is a bakery near me that closes at two, who closes at two.
I never finished that series, honestly it got slow in the middle.
My headphones are dying on the left side again.|I should drink some water, hold on.
The plan for the week is this game and then something short on Friday.
I read about how they made the sound for this, it is really interesting.
I do not know why my legs hurt, I only walked to the shop.
My neighbour is drilling again, I hope you cannot hear it.
I have a dentist appointment on Thursday so no morning stream.
When I was a kid we only had the demo of this and I played it for months.
It is kind of cold in here tonight.|I forgot to put the washing on, that is a problem for later.
I slept until ten and I still feel tired.""",
    "reply": """{viewer} asks how long the game is, I think about twelve hours.
Hello {viewer}, good evening, how are you.|No {viewer}, I have not played the first one.
{viewer} says turn the music down, okay, a little bit.|Yes {viewer}, the recording will be up tomorrow.
I would say medium difficulty, {viewer}, nothing crazy.|Thanks for the follow, {viewer}, welcome in.
Which settings, {viewer}, I will show you in the menu later.
{viewer} is asking about the keyboard, it is just a cheap one.
That is a good question {viewer}, I do not really know.
I saw your message, {viewer}, give me one second to read it.
Somebody says I missed something at {place}, maybe.""",
    "usual": """Okay, we need to {act}.|I think we should {act}, then we see.
So {foe} is over there, we leave that alone for now.|Let me check if we still need {thing}.
We were at {place} last time, right.|I could use {thing}, but I might save it.
Okay, careful here, careful.|That is fine, that is fine, we take that.|Right, back to {place}.
Where was I going, ah, {place}.|I always forget the button for that.
One more time around and then {place}.|{foe} usually comes from the right side.
Hmm, I do not think that does anything.|Okay nice, that is one.|Little bit of damage, nothing serious.
We have enough for {thing} now, I think.|Let me just {act} for a moment.
There is probably something behind here.|I like how {place} looks, somebody cared about this.
I do not trust this corner at all.|Maybe we {act}, I do not want to waste time.
Okay so {n} left and then we are through.|Oh, missed that, okay.|Not the best, not the worst.
Come on, over here.""",
    "menu": """Let me look at the options for a second.
Okay what do we have, {thing}, no, no, maybe this.|I will sort this out quickly, the bag is full.
Which one is better, this has plus {n} percent.|Let me read what {thing} does.
Saving here, just to be safe.""",
    "wow": """No way!|Oh my god!|What! What!|Let's go!|Are you serious!|Yes! Yes!|Wait, wait, wait, no!
Is that it? That is it!|Oh! Oh!|It is here!""",
    "glad": """That is the best thing I have ever found!|I cannot believe we actually got {thing}!
Do you know how rare that is?|Chat, look at it, look at it!|We have been looking for this for weeks!
This changes the whole run, this changes everything!|I am shaking, I am actually shaking!
Somebody clip that right now!|That is insane, that is completely insane!
I told you, I told you we would get it!|Never in my life have I seen that!
Okay this is the best evening of the month!""",
    "reveal": """Oh, look at the size of that!|Here it comes, here we go!
This is what we have been waiting for!|Look at that, that is beautiful!
The door opens, it actually opens!|Listen to the music, I have goosebumps!""",
    "seek": """Okay let me open this one.|One more, and then we go.|I will just have a look in here.
It is probably nothing again.""",
    "slipup": """And then we take the cheese, the keys, to the kitchen of the king.
So welcome back to the toilet, to the temple.|I would like to thank my legs, my lads, my mods.
Let me just put my mother in the bag, the map, the map in the bag.|He was a good man, a good ham, I mean.
I need to wash my goat before the stream.""",
    "joke": """What is he doing? What is he doing?|Why did I say that!|Did you see his face?
Look at his legs, look at his little legs!|I cannot breathe, stop!|Please, somebody explain that to me!
He just left, he just left through the wall!|That is not how knees work!|I am crying, I have tears.
Okay, okay, stop it, I need to play.|Of all the words in the world!|{foe} just flew away!
No, do it again, do it again!""",
    "creep": """I do not like this.|It is too quiet.|Did you hear that?|There is something at {place}.
Slowly, slowly.|Please be nothing.""",
    "scared": """Oh my god, no!|Get away, get away!|I hate it, I hate it!|My heart!
Why would they put that there!|I nearly fell off the chair!""",
    "pinch": """One hit.|I have nothing left.|Stay calm.|Last one, last one.|Dodge, dodge.
No potions, nothing.|Do not panic.|Hold on, hold on.|Not now, not now.|Just breathe.|Wait for it.
Ten seconds.""",
    "won": """Yes! Come on!|Let's go! Let's go!|I did it!|We live! We live!|How did that work!|Get in!
He is down! He is down!""",
    "relief": """With one heart, with one single heart!
I thought that was it, I really thought that was it!|My hands are sweating, look at my hands!
That was the closest one ever!|I have no idea how I survived that!|{foe} had us, and we still did it!
Never doubted, never doubted it for a second!""",
    "ohno": """No, no, no, no!|No!|Oh no.|Why!|I slipped!|Not like this.|Wrong button!|Oh, you idiot.""",
    "lost": """That was the whole run, an hour gone.|I had it, I had it and I threw it away.
Everything, we lost everything.|I jumped, why did I jump.|I forgot to save.
That was all of our stuff, all of it.|Right at the end, every single time.|I pressed the wrong one.
We do not talk about that.|I walked straight into it like a beginner.""",
    "goal": """Goal! Goal!|Yes! What a goal!|Top corner!|In! It is in!
That is the score!|Bottom left, get in!|Past the keeper!""",
    "praise": """What a strike, from there!|That puts us on top of the table!
Show me the replay, show it again!|That is exactly what we practised!
Straight through all of them!|The pass before that was perfect!""",
    "record": """New record! New record!|Beat it! We beat it!|First place!|That is the time! That is it!
Under it! Under it!""",
    "tally": """Look at the time, look at the time!|We have never been that high before!
{n} points, that is huge!|That puts us on top of the board!|A whole {n} seconds faster!
All of those hours, and there it is!""",
    "rage": """Are you kidding me!|That is not fair!|I pressed it! I pressed the button!
How is that a hit!|This game is a joke!|Who made this!|Every single time!|I was not even there!
Look at this! Look at that!|What am I supposed to do about {foe}!|I am so done with {place}!
I was lined up perfectly, everybody saw it!|It is the same thing again and again!
Do not tell me to calm down!|Stupid, stupid, stupid!""",
    "sulk": """I am not even angry, I am just tired of it.|Okay, breathe, we try again.|I need a minute.
Fine, once more.""",
    "letter": """You were here when my dad was in the hospital, and it helped me, thank you.
I passed my exam today and I studied with your streams.
We are having a baby in May, and my wife and I met in your chat.
It is one year since I stopped drinking and I wanted you to know first.
My daughter drew the lantern for you and she says hello.
I have been alone since I moved and this feels like home.""",
    "touched": """Oh, that is, I do not know what to say.|Thank you, really, that means so much to me.
Now I have to cry on the stream, thank you.|I am so proud of you, I really am.
You are all such lovely people.|Give me a second, I am sorry.|That is the nicest thing anybody wrote me.""",
    "pet": """Oh hello, who are you, who is that.|Come here my darling, come here.
Look at those little paws.|Did you wake up, did you have a nap.|Say hello to everybody, say hello.
Oh she wants to sit with us.|You are the best cat in the world, yes you are.|He brought me his toy.""",
    "after": """Okay, anyway, where were we.|Right, let me have a sip and then we go on.
Okay, back to it.|So, next one, {act}.|Alright, let us carry on then.""",
    "thanks": """Thank you for the sub, {viewer}, that is very kind.
Welcome {viewer}, thank you for {n} months.|{viewer}, thanks for the bits, much appreciated.""",
    "raid": """Hello raiders, welcome in, welcome in everybody.
Thank you {viewer} for the raid, how was your stream.|We are playing {title}, make yourself at home.
There are a lot of you today, hello hello.""",
    "sponsor": """This stream is brought to you by Fennelbox, the tea that comes every month.
Use my code and you get ten percent off, the link is below!
They have amazing flavours, my favourite is pear and ginger!
It really is so easy and it supports the channel!""",
    "advert": """There are some adverts now, I will be right back.|Ad break, sorry, ninety seconds.
I will get a drink while that is running.""",
    "past": """Last week we beat {foe} with no hits, that was insane.
I still remember that goal in the final, everybody went crazy.
My best ever was when I got {thing} on the first try, unbelievable luck.
We had this incredible clutch on Tuesday, one health left.
That rage clip from March has a million views, I do not know why.
I screamed so loud back then that the neighbours came.""",
    "house": """Yes! I am in here! Streaming!|No, it is on the table! On the table!
One minute! I will come in one minute!|Can you close the door please!|Leave it outside, thank you!""",
    "smile": """Ha, that is a good one.|Yeah, very funny, {viewer}.|Okay, you got me there.
That is true, that is true.""",
    "again": """Okay, dead, again.|Well, that was short, next try.|Fine, we learned something.
As expected, go again.|Lost that one, whatever.""",
    "dog": """That is just the dog, sorry.|He hears the neighbour, ignore him.|Door, not for me.
Sorry about the noise.""",
    "sing": """La la la, da da dum, da da dum.|Da da da, on the road again, la la la.|Hm hm hm, la di da.""",
    "unwell": """Sorry, excuse me.|Oof, dust.|Bless me, I suppose.""",
    "small": """Oh, close.|Ooh!|Nice, nice.|Whoa, okay.|Ah, no.|Ha, look at that.|There we go!|Ouch.
Oh come on.|Good one!|Hey!|Oh that was quick.""",
    "story": """And he goes, you cannot park here! And I go, it is a bicycle!
So she says, do you want the big one? And I say, of course I want the big one!
I tell you, the whole bus was looking at me, the whole bus!
And I ran, I really ran, and the tram just closed the doors!""",
}

CHATTED: dict[str, str] = {
    "idle": """hello from the bus|what game is this|how long have you been live|first time here
same honestly|lol|hm|true|good evening all|is the music from the game|which mic is that
you should try the other door|i like this game|brb dinner|PixelNod|gotta work tomorrow
any tips for {place}|that looks cold|what difficulty|do you have a schedule|i had soup too|CozyCup|nah
yes|never got past {place}|back|wait what did i miss""",
    "hype": """LETS GOOO|WOOO|OMG|no shot|PogOtter PogOtter|HYPE|CLIP IT|insane|WHAT|!!!!!!|holy
that luck|gratz!!|POGGERS|actual god""",
    "funny": """LMAO|LUL LUL|KEKW|i cant|crying|hahahaha|lol what|OMEGALOL|dead|xD xD|im wheezing
clip that pls|the legs lol""",
    "clutch": """HOW|CLUTCH|no way he lived|my heart|LETS GOOO|1 HP|sweating|calculated|PogOtter|W|insane
that was close|never doubted""",
    "fail": """F|F|F|rip|oof|noooo|LUL|skill issue|unlucky|pain|SadOtter|there goes the run|F in chat
happens""",
    "score": "GOAL|GOOOAL|W|what a hit|PogOtter|record!|GG|1-0|EZ|top bins|LETS GO|nice one|big numbers",
    "rage": """LUL|MALDING|calm down|he's mad|uninstall|rip desk|SaltOtter|breathe|again lol|classic
tilted|that was bs tho""",
    "wholesome": """<3|<3 <3|aww|so sweet|im not crying|CozyCup <3|hugs|congrats!!|love this chat|awww
we love you|PetOtter""",
    "ads": "ads|brb ads|ad gang|mid roll lol|ResidentAd",
    "raid": """RAID|raid hype|hello raiders|PogOtter RAID PogOtter|we come in peace|hi from the raid
welcome raiders""",
    "dog": "doggo|dog|who's a good boy|let him in",
    "bot": """[bot] follow for news, schedule with !times|[bot] drink some water
[bot] no spoilers please, see !rules""",
    "spam": """cheap followers at bigboost dot example|!drop|!points|!lurk
PixelNod PixelNod PixelNod PixelNod|hype train level 3!!!|sub sub sub""",
}


class Deck:
    """Draws lines of a section, each once before any comes again, with the game's own words put in."""

    def __init__(self, game: str, rng: np.random.Generator, book: dict[str, str]) -> None:
        self.things, self.rng = GAMES[game], rng
        self.book = {k: [x.strip() for x in v.replace("\n", "|").split("|")] for k, v in book.items()}
        self.left: dict[str, list[str]] = {}

    def draw(self, section: str) -> str:
        """The next line of a section."""
        if not self.left.get(section):
            self.left[section] = [str(x) for x in self.rng.permutation(self.book[section])]
        line = self.left[section].pop()
        if "{" not in line:
            return line
        slots = {**self.things, "viewer": VIEWERS}
        words = {k: str(self.rng.choice(v.split("|"))) for k, v in slots.items()}
        line = line.format(n=int(self.rng.integers(2, 60)), **words)
        return line[0].upper() + line[1:]


def misheard(text: str, rng: np.random.Generator) -> str:
    """The line as a recogniser gives it: about one word in eight is lost, doubled or another."""
    heard = []
    for word in text.split():
        luck = rng.random()
        if luck < 0.06:
            continue
        other = str(rng.choice(["and", "the", "so", "that", "in", "what", "like", "oh"]))
        heard.append(other if luck < 0.10 else word)
        if luck > 0.975:
            heard.append(word)
    return " ".join(heard) or "Oh."
