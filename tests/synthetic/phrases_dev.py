"""The lists of the family `dev`: what the detector may be developed against."""

from __future__ import annotations

from tests.synthetic.phrases import ChatPhrases, Phrases, lines

_NEUTRAL = {
    "gaming": lines("""
        okay let me check the map real quick and see where everybody went
        i think i need more ammo before we push into the next area
        so the plan is to rotate around the left side and hold the high ground
        i am going to craft a couple of bandages and then we move
        the settings are the same as always you can find them below the stream
        somebody asked about my keyboard it is just a normal one nothing special
        let me loot this house first there might be a backpack in here
        we have got about two minutes until the circle closes
        i changed my sensitivity yesterday and i am still getting used to it
        this part of the level is mostly walking so bear with me
        there should be a save point somewhere behind that door
        i keep forgetting which button opens the inventory
        they patched that last week so it does not work any more
        give me a second to read what this quest wants from us
        we are going to farm some wood and stone for a while
        my teammate is respawning so we wait for him here"""),
    "talk": lines("""
        so i was reading an article about how trains are scheduled in the north
        the question is whether people actually want to pay for that kind of service
        that is a fair point and i think both sides have something to say
        we will get to your questions in the second half of the show
        i grew up in a small town so we did not have anything like that
        let me pull up the next topic on the list
        there was a study about it but i do not remember the exact number
        the way i see it you have to look at the long term
        my neighbour has been renovating his kitchen for about three months
        okay next up we have a message from a viewer about moving abroad
        i usually get up at seven and make some coffee before anything else
        it depends on the contract and on how long you have been there
        he said he would think about it and then we never heard back
        we talked about that a couple of episodes ago if you remember"""),
    "irl": lines("""
        we are walking down towards the river now it is about ten minutes from here
        the weather is okay a little bit of wind but nothing bad
        i want to find a place where we can sit down and eat something
        this street is usually packed on the weekend
        battery is at sixty percent so we should be fine for another hour
        on the right you can see the old market hall
        i think the bus stops right around the corner
        let me just cross the road here and then i will read chat
        it smells like fresh bread somewhere around here
        the ticket was about four euros so that is alright
        signal might drop a bit in the tunnel just so you know
        i have never been to this part of the city before"""),
    "music": lines("""
        this next one is a slow song in a minor key
        let me tune the low string again it keeps going flat
        i wrote the second verse on the train this morning
        if you have a request just put it in the queue
        i am going to turn the reverb down a little
        we are going to do two more before the break
        the chords are the same as in the first part
        i started on piano when i was about eight years old
        can you hear the vocals okay or is the guitar too much
        that was a cover of an old folk tune"""),
    "cooking": lines("""
        now we chop the onions into small cubes like this
        i am using about two hundred grams of flour for the dough
        let it simmer on low heat for around fifteen minutes
        while that is going we can wash the herbs
        you want the oven at one hundred and eighty degrees
        a pinch of salt and then stir it slowly
        this pan is a bit too small but it will do
        i buy the tomatoes in the can because it is winter
        the dough has to rest for an hour so i made one earlier
        put the lid on so it does not dry out
        somebody asked if you can use butter instead yes you can"""),
    "football": lines("""
        they knock it around at the back in no great hurry
        throw in on the near side level with the eighteen yard line
        the midfielder turns and plays it back to his centre half
        that is a goal kick and they will take their time over it
        a little over twenty minutes gone here and still no score
        the left back comes forward but there is nobody in the middle
        they have made one change since the last match
        long ball forward and the defender heads it clear
        he is going to be annoyed with that pass it was simple
        the referee has a word with the captain about the wall
        possession has been about even so far"""),
    "basketball": lines("""
        they bring it up slowly and set the offence
        kicks it out to the corner no shot so they reset
        that is the second foul on the centre
        timeout on the floor with about four minutes left in the quarter
        he is two for five from the line tonight
        ball goes out of bounds off the forward
        they switch everything on the pick and roll
        the bench has given them fourteen points so far
        he passes up the open look and they work it around"""),
}

_REACT = {
    "hype": lines("""
        oh my god let's go
        that is absolutely insane look at that
        no way no way no way
        yo this is the best thing that has happened all year
        let's go we actually got it
        i am shaking right now i am actually shaking
        did you see that tell me you saw that
        holy moly it dropped it actually dropped
        this is unreal chat this is unreal
        we did it come on"""),
    "funny": lines("""
        i cannot breathe oh my god
        why would he do that
        that is the funniest thing i have ever seen
        wait what did you just say to me
        he just walked straight into the wall
        stop stop i am crying
        you cannot be serious right now
        what is that noise who made that noise
        the timing of that was perfect"""),
    "clutch": lines("""
        one more one more he is one hit
        i got him that is the round
        how did i win that
        last one is behind the box got him yes
        one against four and i won it
        with one health are you kidding me
        nobody move nobody move yes we survive
        that was so close i thought we lost"""),
    "fail": lines("""
        oh no no no no
        i dropped it are you serious
        that was my whole run gone
        i fell off how did i fall off
        wrong button i pressed the wrong button
        well that did not work at all
        i cannot believe i just did that
        it was right there and i missed it"""),
    "score": lines("""
        it is in what a finish
        yes that counts that is on the board
        and he buries it top corner
        that is the lead they have the lead
        new record that is a new personal best
        what a shot that is through
        got the point finally got the point"""),
    "rage": lines("""
        are you kidding me right now
        this game is so broken i hate it
        how is that fair how is that even fair
        i am done i am actually done with this
        every single time every single time
        that hit me through the wall what is this
        get out of here with that garbage
        i swear this is rigged"""),
    "wholesome": lines("""
        you guys are going to make me cry
        thank you so much that means everything to me
        i did not expect that i do not know what to say
        this is the sweetest message i have ever read
        we love you so much thank you for being here
        i am so proud of you honestly
        she said yes oh my goodness she said yes
        happy birthday you deserve all of it"""),
}

_REACT_IN = {
    ("football", "score"): lines("""
        goal it is a goal and the stadium erupts
        he shoots and it is in one nil
        headed in at the far post and they have equalised
        straight through the keeper's legs what a start
        free kick over the wall and in brilliant"""),
    ("football", "fail"): lines("""
        open goal and he puts it over the bar
        oh he has missed the penalty
        the keeper has dropped it and what a mistake that is"""),
    ("football", "hype"): lines("""
        what a save from the goalkeeper
        it comes back off the post how has that not gone in
        they are all on their feet here"""),
    ("football", "rage"): lines("""
        that is a red card he is off
        they are pushing and shoving and the referee is surrounded"""),
    ("basketball", "score"): lines("""
        for three bang it goes
        at the buzzer he got it he got it
        steals it all the way and slams it down
        puts it in and the foul"""),
    ("basketball", "hype"): lines("""
        what a block at the rim
        he threw it down over two defenders"""),
    ("music", "hype"): lines("""
        sing it with me everybody
        that solo oh that felt so good
        here comes the drop"""),
    ("cooking", "fail"): lines("""
        it is on fire it is actually on fire
        the whole cake just collapsed
        i put in sugar instead of salt"""),
    ("irl", "funny"): lines("""
        that seagull just stole my fries
        did that guy just wave at us with a fish"""),
}

_PAST = lines("""
    that was insane yesterday i still think about it
    i remember we had a crazy clutch last month in the same spot
    people said that was the funniest stream of the year
    he scored such a nice goal in the cup final back then
    when i finally beat that boss i screamed so loud
    last week somebody gifted fifty and i nearly cried
    the clip where i fell off got a lot of views
    the concert was unreal but that is years ago""")

_BORING = lines("""
    can somebody please close the door out there
    mum i am live i will call you back later
    hello can you hear me hello the microphone is over here
    stop barking it is only the postman
    no i ordered the other one the blue one
    i said put it on the table on the table
    turn the washing machine off i cannot hear anything""")

_ADVERT = lines("""
    get three months for the price of one with our family plan
    discover the new taste of summer now in your supermarket
    download the app today and claim your welcome bonus
    the all new hatchback amazing comfort and incredible mileage
    shop now and save up to forty percent this weekend only
    terms and conditions apply see website for details""")

_RAID_WELCOME = lines("""
    welcome in raiders how was your stream
    hello everybody who just arrived make yourselves at home
    thanks for the raid what were you playing
    we are just in the middle of something but welcome""")

_PAUSE = lines("""
    i am going to grab some water be right back
    short break five minutes and then we continue
    let me check the door real quick do not go anywhere""")

_CHAT = ChatPhrases(
    idle=lines("""
        hey everyone
        good evening
        just got here
        i had pasta for dinner
        true
        yeah
        nice weather today
        i think so too
        hmm
        same here
        brb
        back
        lurking while working
        the blue one looks better
        my cat is asleep
        not sure about that
        hi
        o/
        makes sense
        cool
        i have work tomorrow
        lol
        hello from brazil"""),
    questions=lines("""
        what game is this
        how long have you been live
        what rank are you
        where are you from
        when is the next stream
        which mic do you use
        can you play it again later
        did you eat already"""),
    commands=lines("""
        !uptime
        !discord
        !song
        !rank
        !specs
        !socials"""),
    bots=lines("""
        Follow the stream to see when it goes live
        Join the discord, link is in the panel below
        Remember to drink some water
        The current song is unknown"""),
    raid=lines("""
        raid hype
        hello from the raid
        raiders are here
        we come in peace
        <3 raid <3
        hiii"""),
    giveaway=("!join", "!enter", "!ticket", "!join pls", "!join"),
    paste=(
        "dear streamer i have watched for five years and never once did you wash the green mug",
        "this message was written by a very small horse please do not tell the large horse",
    ),
    react={
        "hype": lines("""
            POGGERS
            LETS GOOOO
            omg
            PogChamp PogChamp
            WOOOO
            no wayyy
            HYPE HYPE
            insane
            W
            clip it
            holy
            AAAAAA"""),
        "funny": lines("""
            LUL
            KEKW
            hahahaha
            LMAO
            OMEGALUL
            im dying
            xD
            lolol
            KEKW KEKW
            crying rn
            hahaha what"""),
        "clutch": lines("""
            CLUTCH
            no way he won that
            PogChamp
            GG
            ez
            insane aim
            how
            W W W
            my heart
            WHAT"""),
        "fail": lines("""
            LUL
            rip
            F
            oof
            noooo
            KEKW
            F in chat
            throw
            pain
            sadge"""),
        "score": lines("""
            GOAL
            GOOOAL
            yesss
            LETS GO
            what a shot
            POG
            BANG
            1-0
            WOOO
            siuuu"""),
        "rage": lines("""
            uh oh
            malding
            LUL mad
            so mad
            calm down
            RAGE
            KEKW
            wtf
            scam
            unlucky"""),
        "wholesome": lines("""
            <3
            aww
            <3 <3 <3
            so sweet
            im not crying
            love you
            bless
            wholesome
            proud of you
            :')"""),
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
