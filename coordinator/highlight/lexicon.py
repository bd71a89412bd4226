"""What people say when something happens, and what only looks like it.

Families of phrases, general to games and to sport, written from common usage after looking at what is said
around goals in real commentary; strengths are round numbers, chosen among a few by their score there. Each
pattern is matched on lower-case text whose apostrophes were straightened. Order within a family does not
matter; a phrase counts once an utterance and family.
"""

from __future__ import annotations

import re
from typing import Final

# How much one phrase of a family says that something happened just now, 0 to 1.
FAMILY_STRENGTH: Final[dict[str, float]] = {
    "call": 1.0,
    "score": 1.0,
    "feat": 0.9,
    "goal": 0.7,
    "awe": 0.5,
    "cheer": 0.45,
    "laugh": 0.45,
    "play": 0.25,
    "replay": 0.2,
    "drama": 0.15,
}


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"(?<![\w'])(?:" + "|".join(phrases) + r")(?![\w'])")


FAMILIES: Final[dict[str, re.Pattern[str]]] = {
    # Someone asks for the clip.
    "call": _any(
        r"clip (?:that|it|this)",
        r"(?:somebody|someone|chat,?) clip",
        r"that's a clip",
        r"get the clip",
        r"did you (?:guys )?(?:see|clip) that",
        r"mark that",
    ),
    # A point, a goal, a win, told as happening.
    "score": _any(
        r"(?:he|she|it|they|and|who|that)(?:'s|'ve| has| have)? (?:just )?(?:scores|scored)",
        r"scores(?! (?:are|were|from|in|of|last|so))",
        r"what a (?:\w+ )?(?:goal|strike|finish|shot|hit|header|kill|save|play|volley)",
        r"(?:great|brilliant|lovely|superb|wonderful|beautiful|fantastic|stunning|amazing|incredible|fabulous|cracking"
        r"|magnificent) (?:goal|strike|finish|header|volley|shot|kill|free[ -]kick)",
        r"(?:it's|it is|that's|there's) (?:a |the |in |another )?(?:goal|in|equali[sz]er|opener|winner"
        r"|touchdown|home run)",
        r"(?:it's|and it's|he's put it|ball is|ball's|straight|is|put it|gets it) in the (?:back of the )?net",
        r"back of the net",
        r"goal,? goal",
        r"(?:the|an|his|a) (?:equali[sz]er|opener|opening goal)",
        r"equali[sz]e[sd]",
        r"(?:takes?|took|have|has|in|into|retakes?|extends?|doubles?|regains?) the(?:ir)? lead",
        r"level(?:s|led) (?:it|the (?:score|match|game))",
        r"breaks? the deadlock",
        r"(?:finds|hits|hit|found) the (?:back of the )?net",
        r"wins? (?:the (?:game|match|round|series|cup|title|final)|it all)",
        r"touchdown",
        r"home ?run",
        r"slam dunk",
        r"buzzer beater",
        r"bull'?s ?eye",
        r"hat[ -]trick",
        r"makes? it (?:one|two|three|four|five|six|\d)",
        r"own goal",
        r"turned? (?:it )?(?:home|in)",
        r"slots? (?:it )?home",
        r"taps? (?:it )?in",
        r"(?:puts?|fires?|gives?) (?:\w+ ){1,3}(?:in front|ahead|one up|two up)",
    ),
    # A feat by its gaming name.
    "feat": _any(
        r"(?:an |the |that's an )?ace(?:d|s)?",
        r"clutch(?:ed|es)?",
        r"penta(?: ?kill)?",
        r"quadra(?: ?kill)?",
        r"(?:triple|quad|multi|double) ?kill",
        r"head ?shots?",
        r"no[ -]?scope",
        r"team ?(?:kill|wipe)(?:d)?",
        r"wiped? (?:them|the (?:team|squad))",
        r"collateral",
        r"one tap(?:ped)?",
        r"victory royale",
        r"game over",
        r"flawless",
        r"world record",
        r"personal best",
        r"new record",
        r"first try",
        r"one v(?:s|ersus)? ?(?:two|three|four|five|\d)",
        r"1v[2-5]",
        r"knock(?:ed)? ?(?:him |them )?out",
        r"k\.?o\.?",
        r"legendary",
        r"godlike",
        r"unstoppable",
        r"we (?:won|win|did it)",
        r"champions?hip point",
        r"match point",
        r"checkmate",
        r"jack ?pot",
        r"winner winner",
        r"boss is down",
        r"final blow",
    ),
    # Wonder.
    "awe": _any(
        r"unbelievable",
        r"incredible",
        r"unreal",
        r"insane",
        r"outrageous",
        r"ridiculous",
        r"sensational",
        r"astonishing",
        r"extraordinary",
        r"magnificent",
        r"spectacular",
        r"phenomenal",
        r"stunning",
        r"breathtaking",
        r"oh my (?:god|goodness|gosh|word|days|lord)",
        r"omg",
        r"my (?:god|goodness)",
        r"holy (?:\w+)",
        r"no way",
        r"(?:i )?can(?:no|')t believe",
        r"do you believe",
        r"did you see",
        r"wow",
        r"what (?:the|a|an) \w+",
        r"how (?:did|has|about|good|on earth)(?: (?:he|she|they|that|i|is that))?",
        r"are you kidding",
        r"you(?:'re| are) (?:kidding|joking)",
        r"look at (?:that|this|him|her)",
        r"out of nowhere",
        r"absolute(?:ly)? (?:brilliant|beautiful|superb|fantastic|amazing|scenes|madness|mental|massive|monster)",
        r"scenes",
        r"crazy",
        r"sublime",
        r"world class",
        r"gosh",
        r"oh dear",
    ),
    # The crowd's and the players' joy, told or shouted.
    "cheer": _any(
        r"let'?s go+",
        r"yes,? yes",
        r"come on",
        r"get in(?: there)?",
        r"celebrat(?:e|es|ing|ion|ions)",
        r"the crowd (?:is |goes |are |erupts?|roars?)\w*",
        r"(?:fans|crowd|place|stadium) (?:is |are |goes? |has )?(?:going )?"
        r"(?:wild|crazy|mad|erupt\w*|on (?:its|their) feet)",
        r"goes (?:wild|crazy)",
        r"roar(?:s|ed|ing)?",
        r"hoo?ray",
        r"bravo",
        r"erupts?",
        r"delirious",
        r"ecstatic",
        r"pandemonium",
        r"you beauty",
        r"woo+(?:hoo+)?",
    ),
    # Play that leads to it.
    "play": _any(
        r"finish(?:es|ed)?",
        r"strike",
        r"header",
        r"volley",
        r"scor(?:e|ed|ing|er)",
        r"deflect(?:ed|ion)",
        r"beat(?:s|en)? the (?:keeper|goalkeeper)",
        r"past the (?:keeper|goalkeeper)",
        r"(?:top|bottom|far|near) (?:corner|post)",
        r"counter ?attack",
        r"breaks? through",
        r"through on goal",
        r"one on one",
        r"combo",
        r"snipe(?:d|s)?",
        r"dunk(?:s|ed)?",
        r"overtak(?:e|es|en|ing)",
        r"crash(?:es|ed)?",
        r"knock ?down",
        r"kill(?:s|ed)?",
        r"down (?:he|she|they) goes?",
        r"took (?:him|them) (?:down|out)",
        r"in the net",
        r"into the net",
        r"assist(?:ed|s)?",
        r"tap[ -]in",
    ),
    # Disaster and near misses: wanted too, less.
    "drama": _any(
        r"penalty",
        r"red card",
        r"sent off",
        r"sending off",
        r"off the (?:post|bar|line)",
        r"(?:hits|hit|strikes|rattles) the (?:post|bar|crossbar|woodwork)",
        r"what a (?:save|miss|chance|mistake|blunder)",
        r"so close",
        r"(?:terrible|awful|dreadful|shocking) (?:mistake|error|miss|tackle|defending)",
        r"disaster",
        r"great save",
        r"brilliant save",
        r"fantastic save",
        r"oh no+",
        r"chance",
        r"disallowed",
        r"offside",
        r"injur(?:y|ed)",
        r"fight",
        r"they(?:'re| are) fighting",
        r"choke[ds]?",
        r"whiff(?:ed|s)?",
    ),
    "replay": _any(
        r"(?:see|watch|look at|have a look at) (?:it|that|this|the goal|the replay) again",
        r"replays?",
        r"once (?:more|again)",
        r"in slow motion",
        r"another look",
        r"again and again",
        r"watch this",
        r"see how",
        r"from this angle",
    ),
    "laugh": _any(
        r"(?:ha){2,}h?",
        r"(?:he){3,}",
        r"lmf?ao+",
        r"lo+l",
        r"rofl",
        r"hilarious",
        r"(?:that's|so) funny",
        r"i(?:'m| am) (?:dead|dying|crying)",
        r"(?:can't|cannot) stop laughing",
    ),
    "goal": _any(r"goals?", r"go+l+(?:azo)?", r"golazo"),
}

# A goal that is only part of the field, of a phrase, of the past or of a wish.
NOT_A_GOAL: Final = re.compile(
    r"goal[ -]?(?:kick|keep|line|mouth|less|post|difference|area|tender|scor|side|attempt|threat"
    r"|poacher|getter|king|drought|tally|record|mind)\w*"
    r"|(?:on|at|towards?|to|of|for|off|from|near|his|their|own|our|in front of|front of|face of"
    r"|shots? on|sight of|the opposition'?s?|the opponent'?s?|side of)"
    r" (?:the )?goal\b(?! of| by| for| from| scor| is)"
    r"|goals? (?:in|from|against|per|so far|this|last|scored|conceded"
    r"|to his name|average|for (?:the )?(?:club|country|season|team))"
    r"|(?:no|without|any|need|needs|needed|want|wants|more|many|few|several|two|three|four|five|six|seven|eight"
    r"|nine|ten|\d+|away|league|career|most|first half|scored?|scoring) goals?"
    r"|(?:need|needs|want|wants|looking for|search of|searching for|for)"
    r" (?:a|the|an|another|that) (?:\w+ )?(?:goal|equali[sz]er|winner|opener)"
)

# The past, the wished-for and the merely possible: what is told is not happening now.
ELSEWHEN: Final = _any(
    r"last (?:season|year|week|month|time|game|match|night|weekend)",
    r"(?:this|the) season",
    r"in (?:the|his|their) (?:last|previous|past)",
    r"years? ago",
    r"back in",
    r"previous(?:ly)?",
    r"(?:in|since|from|of) (?:19|20)\d\d",
    r"(?:could|would|should|might|may) (?:have|be|not)?",
    r"if (?:he|she|they|it|we|you|i)",
    r"has scored",
    r"have scored",
    r"had scored",
    r"will score",
    r"to score",
    r"hasn't",
    r"haven't",
    r"didn't",
    r"doesn't",
    r"not (?:a|the|in)",
    r"never",
    r"nearly",
    r"almost",
    r"tomorrow",
    r"next (?:week|season|year)",
    r"so far",
    r"career",
    r"games?(?: in)? all",
    r"average",
    r"league goals?",
    r"in \w+ (?:games|matches|appearances)",
    r"top scorer",
)

# Selling.
SALES: Final = _any(
    r"sponsor(?:ed|s|ship)?",
    r"(?:use|promo|discount|coupon|offer) code",
    r"code \w+ (?:for|at)",
    r"(?:\d+|\w+ty|ten|fifteen) ?(?:percent|per cent|%) off",
    r"\d+% off",
    r"half price",
    r"buy (?:now|one|yours|it now)",
    r"order (?:now|today|yours)",
    r"subscri(?:be|ption)s?",
    r"free (?:trial|shipping|delivery)",
    r"limited (?:time|offer)",
    r"special offer",
    r"money back",
    r"visit (?:our|us|the) ?\w*",
    r"link (?:is )?in the (?:description|bio)",
    r"download (?:now|the app|it)",
    r"sign up(?: now| today)?",
    r"brought to you by",
    r"(?:www|dot com|\.com)\b",
    r"call now",
    r"in stores",
    r"terms and conditions",
    r"best (?:price|deal)s?",
    r"on sale",
    r"discount",
    r"don't miss (?:out|this)",
    r"check out (?:our|the|my)",
    r"save (?:up to|money|\d+|big)",
    r"merch",
    r"while stocks last",
    r"new and improved",
    r"for only",
    r"per month",
    r"shop now",
    r"today only",
)

STRETCHED: Final = re.compile(r"\b\w*?([a-zà-öø-ÿ])\1{2,}\w*\b")
REPEATED: Final = re.compile(r"\b(\w{2,})(?:[\s,.!]+\1\b)+")
