"""Sentences: what the streamer says in ordinary life, in moments and in decoys.

{pal} is the friend in the call or on the sofa, {fan} a viewer, {n} a small number.
"""

from __future__ import annotations

ORDINARY: dict[str, str] = {
    "shooter": """
        okay so two are mid I think, maybe one long | I am going to hold this for a second
        my aim is cold, I only had one warm up map | rotate with me, rotate, I have smoke
        we save here, it is four rounds, we have time | yeah the new patch made that rifle worse
        somebody asked about my sensitivity, it is in the panels | I need about forty points for the next rank
        he was behind the box the whole time, fine | can we get a drop for the poor guy, thank you
        footsteps, footsteps on the left | this map is not my favourite to be honest
        okay reset, no problem, next round | I will buy armor and just the little pistol
        they always go through the garage on round {n} | I had soup before the stream so we have energy
        queue is long tonight, must be the event | good try, good try, we had the right idea
        I do not want to peek that, I really do not want to peek that | one low, he is behind the truck
        chat, which skin, the green one or the ugly one | {fan} says the lobby was smurfs, maybe
        I am reloading, cover the stairs please | let me fix the brightness, it is a bit dark
        {n} alive on their side, play slow | it is only Tuesday and I already played eleven games""",
    "coop": """
        {pal} where did you put the rope | I am in the base, I am sorting the boxes again
        do we need more wood or is it iron now | wait for me, I am slow, I carry everything
        the map says there is a cave to the north | I think you took my shovel, {pal}
        you go first, I hold the lamp | I will cook, you look after the garden
        how many batteries, I count {n} | there was a bird in my kitchen this morning, a real one
        can you open the door from your side | okay night is coming, we should sleep
        no I did read the sign, it says do not touch | we have been building this bridge for three streams
        {pal} is lost again, one moment | press the button when I say now
        I left the engine on, is that bad | chat wants us to name the boat
        I have no stamina, I am just standing here | let us bring this back before we do anything else
        somebody has to carry the radio | the quest log is no help at all
        is that your light over there or is it something else | I always thought you were the careful one
        right, left, no the other left | we can sell these for a bit of money I guess""",
    "sofa": """
        so the recipe says two cups but which cups | I was on the train for six hours on Sunday
        can you pass me the big spoon please | we let this rest for ten minutes
        so the next card says, what is your worst holiday | I do not even like pineapple that much
        my neighbour came over about the parcel again | it smells quite nice so far
        alright the rules are on the screen, it is simple | you cut onions like my grandfather
        we have {n} of these left to do tonight | somebody asked where the lamp is from, it was a gift
        I think the oven has two moods, off and volcano | the sofa is new, the old one had a smell
        you have to hold it with your left hand only | and then the dentist says, is this your tooth
        I slept badly, it was so warm | let me read a few questions from the list
        no that is parsley, the other green thing | we did this one last year and I still think about it
        stir it slowly, slowly | {fan} asks what we eat tomorrow, leftovers
        I used to work in a shop that only sold lamps | okay timer is set, we can sit down
        I need a towel, one second | so what do you do when a swan looks at you""",
    "quiz": """
        okay question {n}, read it with me | I think it is B, but chat says C
        we have a bit of time, let us not rush | which of these rivers is the longest
        I will keep the dragon in hand for later | he has two cards, he is probably holding removal
        no spoilers in the chat please, you know who you are | the category is kitchens of the world
        I play this and then I pass | that one costs four, so not this turn
        somebody look, no do not look it up, that is cheating | my geography is better than my history
        we lost a life on the last round so careful | capital of what, I have never heard of that
        let me count, six, eight, that is not enough | vote now, one or two
        {fan} is leading the board with {n} points | I like this deck, it is slow but it is honest
        that picture is a teapot, I would say a teapot | okay next pack, next pack
        I always mix up those two painters | the opponent is thinking, we drink some tea
        lock it in, or wait, do we lock it in | it was in a documentary, I remember a boat
        my hand is full so I have to throw one away | the music of this game is so sleepy""",
}

WAFFLE = """
    hello {fan}, welcome in, how is your evening | yeah | mm okay | let me see | so what else
    I saw a very long truck today, that is my news | no I did not watch it yet, please do not tell me
    it rained the whole day here | thank you for being here by the way | right, right
    my chair makes this sound now | let me turn that down a bit | is the audio fine, chat
    I will be here on Thursday as well | I have water, I have snacks, we are good
    somebody said the picture is frozen, is it | the old microphone was better maybe
    yes I read that, good question, I do not know | that depends on the day I guess | hm"""

MOMENT: dict[str, str] = {
    "hype": """
        LET'S GO | oh my god oh my god | we did it, we actually did it | no way, no way, no way | yes, YES
        this is the best night ever | look at that, look at that | {pal} we did it | come on, come on
        that is the thing, that is the actual thing | I am shaking, I am actually shaking""",
    "funny": """
        what is that, what IS that | I can't breathe | stop, stop, please stop | why does it look like that
        no he did not just do that | oh my days my stomach | say that again, say that again
        I am crying | who made this | you can't just say that | that was so stupid""",
    "clutch": """
        YES, oh my god | how did that work, how | with one second left, one second
        are you kidding me, that worked
        I had no hope, none | what a save, what a save | breathe, breathe, oh wow | that was so close
        my heart, feel my heart | on the very last try""",
    "fail": """
        no no no no | oh no | why did I do that | I pressed the wrong one, I pressed the wrong button
        it is gone, all of it is gone | that was all my fault | I can't believe I did that
        please tell me that did not happen | no, wait, WAIT | sorry, I am so sorry""",
    "score": """
        got it | that is all of them, all of them | yes, in one go | bang, and one more, and one more
        did you see that | first try, first try | that is a new record | clean, so clean | too easy, too easy
        give me that, give me that | that counts, that definitely counts""",
    "rage": """
        are you SERIOUS | what is this, what is this garbage | no, no, NO
        every single time, every time | no, I am done, I am so done | how is that fair, tell me how
        come ON | I hate this thing so much | that is such nonsense | stop it, just stop""",
    "wholesome": """
        oh that is so sweet | you are going to make me cry | stop, really, that is so kind
        I don't know what to say | thank you, really, thank you | look at this, oh wow
        I missed you so much | that means the world to me | aw, come here | that is so lovely""",
}

OWN_MOMENT: dict[str, dict[str, str]] = {
    "shooter": {
        "clutch": "last one, last one, I got him | ONE health, I have one health | I was dead, I was so dead",
        "score": "that is five, that is all FIVE | what a shot | one more behind, got him too",
        "rage": "I hit him, I hit him four times | he is through the wall, through the WALL",
        "fail": "I threw it at my own feet | that was our guy, I shot our guy | I was reloading, why",
        "hype": "we ranked up, we are UP | new rank, look at it, new rank | three hundred games for this",
    },
    "coop": {
        "fail": "the boat, {pal}, the BOAT | I fell with all of the iron | who put a hole there",
        "funny": "why are you on fire, {pal} | he is just flying, look at him fly | where did your legs go",
        "clutch": "get in get in get in | {pal} the door, we made it | I pulled you out, I pulled you out",
        "rage": "{pal} I will leave this call | why would you press that, WHY | my whole garden, {pal}",
        "wholesome": "you built that for me | there is a sign with my name on it",
    },
    "sofa": {
        "fail": "it is on the floor, all on the floor | that was salt, that was SALT | it burns, turn it off",
        "funny": "your face, look at your face | it is so sour, why is it so sour | do not make me drink now",
        "score": "it went in, it went IN | in the cup, straight in the cup | behind the back, are you mad",
        "rage": "this lid, this stupid LID | who makes a jar like this | it is the third egg, the third",
        "wholesome": "mum, you are live on the stream | you drove all this way",
    },
    "quiz": {
        "fail": "it was B, I had B | I changed it, why did I change it | that is the easiest one on the list",
        "score": "nine out of nine, are you kidding | I knew it, I KNEW the river | full points, full points",
        "clutch": "the dragon, it is the DRAGON | top card, off the top | I had one life, one life",
        "rage": "he has it again, of course he has it | one in fifty, one in FIFTY",
        "funny": "who wrote seven hundred penguins | that is not a country | chat, why did you all say soup",
    },
}

TENSE: dict[str, str] = {
    "shooter": "one left, one | I hear him | not yet | where is he | don't talk | last one | hold on",
    "coop": "wait | shh shh, {pal} | slowly | it is behind us | keep going | hold the door | just a bit more",
    "sofa": "slowly | steady | please please | don't make me laugh now | wait | nearly, nearly | okay, okay",
    "quiz": "come on now | please please | not the red one | okay, okay | what is it | let me see | hold on",
}

ANNOUNCE = """
    okay here we go | let us try it | alright, ready | one more then | so, moment of truth I guess
    and now this one
    watch this | I have a feeling about this one"""

AFTER = """
    okay, okay, let me calm down | right, where were we | that goes on the list | somebody write that down
    well, that happened | anyway, let us go on | I need some water after that | okay next one
    alright, back to it | we will look at that later"""

OLD = """
    last year I had this insane clutch, one against five, and everybody was screaming
    and then I won it, first place, I jumped around the room, let's go, that was the best
    we laughed so hard that night that I fell off the chair, I could not breathe
    I raged so badly back then, I threw the headset, oh my god
    that was the craziest thing that ever happened on this channel, no way, we said, no way
    my first ever win was like that, I cried, it was so sweet"""

RANT = """
    and I told them, this is NOT how you park a car | because nobody reads the manual, nobody
    you put the milk in AFTER, that is not a debate | they raised the price again, again, for the same thing
    I will say it louder for the back row | every office has one of these people, every single office
    and the bus just drives past, with me standing there | it is a spoon, it is not a fork, what else"""

THANKS = """
    thank you for the sub {fan} | oh thank you {fan}, {n} months, nice | welcome {fan}, thanks for the support
    cheers for the gift {fan} | thank you so much for that, {fan}"""

RAID = """
    oh hello raiders, welcome in everybody | welcome welcome, thank you for the raid {fan}
    how was your stream, I hope it was fun | for those who are new, we do this three nights a week
    come in, sit down, we have snacks"""

ADVERT = "there is a short break running, back in a moment | ads are on, I just stretch for a bit"
PET = "quiet, quiet, it is only the post | yeah yeah, I know, I know | go to your place, good boy"
POLITE = "ha, yeah, good one {fan} | ha, right | that is a good one | okay {fan}, very funny"
CALLS = (
    "two on me | he is on the left | reload | I have cover | moving up | one down | nice, okay | back, back"
)
SONG = "na na na and the night goes on | oh we are dancing by the sea | hey hey, over the hill and away"
NOISE = (
    "sorry about the noise | it will be over in a second | that is next door again | I can wait, it is fine"
)
VOTE = "okay type one or two in the chat, go | vote now, everybody vote | I count, I count"


def split(text: str) -> list[str]:
    """The sentences of a block: parted by bars and line ends."""
    return [part.strip() for line in text.splitlines() for part in line.split("|") if part.strip()]
