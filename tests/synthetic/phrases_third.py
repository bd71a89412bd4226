"""The lists of the family `third`: what the detector's trees are fitted on, beside `dev`."""

from __future__ import annotations

from tests.synthetic.phrases import ChatPhrases, Phrases, lines

_NEUTRAL = {
    "gaming": lines("""
        alright so this is the third chapter and we start in the harbour
        i will sell these two swords and buy some arrows for later
        the ladder is behind the shed if i remember it right
        we could go through the swamp but it takes much longer
        my inventory is full again so something has to go
        let us see what the merchant has today
        that skill needs four more points before it is any use
        i usually play this on the middle difficulty
        there is a hidden room up here somewhere between the towers
        okay waiting for the others they are still loading
        i turned the shadows down and now it runs smoothly
        you can skip this cutscene but i like the music"""),
    "talk": lines("""
        then there is the matter of the budget for next year
        i read your letters from last time and there were quite a few
        most of the museums are closed on mondays as far as i know
        we moved into the new office in march or april
        it is not that simple because you need a permit first
        my sister works in a bakery so she starts very early
        the second chapter of the book is about rivers and bridges
        i would say it depends on who you ask
        let us move on to the list of things for this week
        they changed the timetable so now i have to leave earlier"""),
    "irl": lines("""
        this is the station we came from and there is the canal
        i packed a jacket because it gets cold by the water
        we need to turn left after the pharmacy
        the map says eight hundred metres from here
        there are a lot more cyclists than i expected
        i might buy a coffee before we go up the hill
        they are rebuilding the whole square until autumn
        i will switch the camera so that you can see the boats"""),
    "music": lines("""
        the next piece has a capo on the third fret
        i recorded the demo in my bedroom a while ago
        let me move the microphone a bit closer to the strings
        this one was written for a friend who moved away
        the bridge is only two chords really
        we will take a couple of wishes after this
        i changed the strings on sunday so they still stretch"""),
    "cooking": lines("""
        the carrots go in first because they take the longest
        i weigh the sugar but everything else is by eye
        you can leave out the garlic if you do not like it
        turn it over once the edges are dry
        we let the rice stand with the lid on
        this knife could use some sharpening
        the stock is from yesterday and i froze the rest
        cover the bowl with a damp cloth"""),
    "volleyball": lines("""
        they rotate and the setter comes to the front row
        a short serve to position four and an easy pass
        the ball goes out on the far side
        they ask for time with the set quite open
        she is back in after the break and takes the serve
        the block is late and they play it over again
        a free ball comes back and they build it up slowly"""),
    "rugby": lines("""
        the scrum is reset for the second time
        they kick it long and wait for it to come down
        line out on the halfway line and they win it cleanly
        the referee explains something to both captains
        slow ball from the ruck and they go wide
        a knock on there so the others will have the feed
        he has been busy in the tackle all afternoon"""),
}

_REACT = {
    "hype": lines("""
        wow wow wow look at that
        this cannot be real oh my goodness
        yes yes yes come on
        i have never ever seen anything like it
        you have got to be joking that is incredible
        oh that is huge that is so huge
        unbelievable absolutely unbelievable
        guys guys guys it happened"""),
    "funny": lines("""
        oh no what are you doing there
        i am done i cannot look at this
        who put a chicken in the elevator
        did he say pickle he said pickle
        my stomach hurts please stop
        that face oh that face
        okay that was stupid but so good"""),
    "clutch": lines("""
        just one left where is he where is he
        got him got him that is the match
        i had two bullets left two
        three of them down and the last one too
        how am i still alive
        that was the last second the very last second
        yes i win the fight what"""),
    "fail": lines("""
        no not into the water no
        oh come on i had it
        i pressed jump i swear i pressed jump
        there goes an hour of work
        that is my fault that is so my fault
        it slipped out of my hand
        and we are back at the beginning great"""),
    "score": lines("""
        and it counts they have got it
        that makes it twelve to nine
        oh what a ball right on the line
        a new best time by two seconds
        there it is the winning point
        he is over he is over in the corner
        that is a point and what a point"""),
    "rage": lines("""
        oh for crying out loud
        that is cheating that has to be cheating
        i am so sick of this boss
        why does it always happen to me
        no no no that did not touch me
        i am going to throw this controller
        what do you want from me"""),
    "wholesome": lines("""
        that is so kind of you thank you
        i am getting a little emotional here
        she made this for me by hand look
        welcome home buddy i missed you
        you all are wonderful people
        i never thought we would get this far together
        they are getting married can you believe it"""),
}

_REACT_IN = {
    ("volleyball", "score"): lines("""
        straight down inside the three metre line
        ace nobody moves
        off the block and out that is the set"""),
    ("volleyball", "hype"): lines("""
        what a dig and they keep it alive
        forty strokes and still it is not down"""),
    ("rugby", "score"): lines("""
        he dives over and that is the try
        the kick is good from the touchline
        drop goal it is over"""),
    ("rugby", "rage"): lines("""
        they all pile in and the cards come out
        that was high that was very high"""),
    ("cooking", "fail"): lines("""
        the handle came off and it is all over the floor
        i forgot the eggs i actually forgot the eggs"""),
}

_PAST = lines("""
    back in spring we had that huge comeback in the same arena
    the best laugh i ever had was on that trip two years ago
    somebody clipped it when i fell into the fountain
    i used to think that level was impossible
    my first win took me six months and i cried
    they scored four in the last minutes that season it was unreal""")

_BORING = lines("""
    the parcel goes next to the stairs please
    is that my phone or is that yours
    get off the table get down
    i am in the middle of something come back in an hour
    your food is in the fridge on the left
    one two three testing is this thing on
    shut the window it is raining in""")

_ADVERT = lines("""
    order before midnight and get free delivery
    a phone that lasts two whole days amazing pictures
    switch your insurance now and save two hundred a year
    the biggest sofa sale of the season ends on sunday
    try it free for thirty days cancel any time
    fresh from the field to your door visit our website""")

_RAID_WELCOME = lines("""
    oh we have visitors welcome all of you
    thank you for bringing your people over here
    hello new faces find yourselves a seat
    what were you up to tonight over there""")

_PAUSE = lines("""
    i need two minutes the kettle is calling
    stay here i will get a blanket
    quick break stretch your legs""")

_CHAT = ChatPhrases(
    idle=lines("""
        evening all
        sup
        same
        that makes sense
        i like the hat
        what a cosy stream
        my bus is late
        rainy here
        idk
        probably
        first time here
        ok
        cheese
        gonna eat now
        left would be shorter
        nah
        thanks
        i had that once
        yep
        hi from oslo
        hello"""),
    questions=lines("""
        which mod is this
        do you play tomorrow
        how old is the dog
        can you show the map
        is this the first part
        what keyboard is that
        when did you start"""),
    commands=lines("""
        !time
        !help
        !build
        !playlist
        !points"""),
    bots=lines("""
        New here? Read the rules in the panels
        The schedule is on the channel page
        Posture check everyone, sit straight"""),
    raid=lines("""
        the ducks have landed
        we are many
        raiding party here
        hello from the other side
        waves waves waves"""),
    giveaway=("!raffle", "!play", "!in", "!raffle now"),
    paste=(
        "i am a simple man i see a goose i write this message and i leave without another word",
        "good morning this is your captain speaking we have run out of biscuits please remain calm",
    ),
    react={
        "hype": lines("""
            WOW
            POG
            omggg
            woah
            letsgooo
            that was nuts
            !!!!
            GIGACHAD
            crazy
            YEEES"""),
        "funny": lines("""
            lmaooo
            LULW
            haha
            ROFL
            i cant
            xDDD
            lol what
            dead
            hahahahah
            KEKW"""),
        "clutch": lines("""
            HOW
            clutchhh
            POGGIES
            gg wp
            cracked
            no way
            he did it
            W player"""),
        "fail": lines("""
            RIP
            oh nooo
            F
            KEKW
            ouch
            nooooo
            unlucky
            welp"""),
        "score": lines("""
            YESSS
            POINT
            lets gooo
            what a hit
            GG
            wooooo
            POGGERS
            easy"""),
        "rage": lines("""
            he mad
            lmao tilted
            breathe
            WTF
            refund
            haha rage
            not fair"""),
        "wholesome": lines("""
            awww
            <3 <3
            cute
            my heart
            so nice
            love this
            happy tears
            :)"""),
    },
)

PHRASES = Phrases(
    neutral=_NEUTRAL,
    react=_REACT,
    react_in=_REACT_IN,
    past=_PAST,
    boring=_BORING,
    advert=_ADVERT,
    raid_welcome=_RAID_WELCOME,
    pause=_PAUSE,
    chat=_CHAT,
)
