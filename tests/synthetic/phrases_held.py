"""The lists of the family `held`: other people, other sports, other chats. Nothing is developed against them."""

from __future__ import annotations

from tests.synthetic.phrases import ChatPhrases, Phrases, lines

_NEUTRAL = {
    "gaming": lines("""
        right so our economy is fine we can afford to build another barracks
        i will park the ship here and we wait for the repair crew
        the merchant in the harbour sells those but they cost a fortune
        two bars of stamina is not enough to climb that wall
        could you mark the spot so i do not run past it again
        we had this exact seed before or at least it looks similar
        reading the patch notes they only touched the shields
        i would rather stay in the back line with the healer
        let me sort my chest it is a complete mess in there
        the tutorial says hold the trigger until it glows
        queue times are a bit longer than usual tonight
        my internet has been fine since i moved the router
        next round we try the other character just to compare
        it is a puzzle so i am going to be quiet for a moment"""),
    "talk": lines("""
        today's guest has been working in forestry for most of her life
        and how did your family take it when you changed jobs
        i would put it differently it is more of a habit than a rule
        the second chapter of the book goes into that in more detail
        there are about forty people in the department these days
        before we go on a quick look at the emails you sent in
        most of the time nobody notices and that is sort of the point
        he explained the tax thing to me twice and i still do not get it
        we recorded this one on a tuesday so things may have moved on
        do you think schools will ever teach it that way
        it took them about six weeks to answer the letter
        that reminds me of an exhibition in the museum downstairs"""),
    "irl": lines("""
        the ferry leaves at half past so there is enough time for a sandwich
        i have my good shoes on today thankfully
        over there behind the scaffolding is the train station
        those stairs are steeper than they look on camera
        they sell postcards and magnets the usual things
        the hostel is up the hill i can show you the view later
        i will switch to the other camera once we are inside
        we are number forty two in the line so it may take a while
        somebody left an umbrella on the bench
        it is low tide so we can walk along the beach"""),
    "music": lines("""
        i have muted the drums so you can hear the bass line
        bar seventeen is where most people speed up without noticing
        this synth is from a flea market and half the keys are sticky
        today i am mostly writing so expect a lot of repetition
        could be a bridge could be an outro i do not know yet
        the tempo is ninety two for those who play along
        my teacher always said breathe before the phrase
        i will bounce this track and listen to it in the car
        the metronome is only in my headphones"""),
    "cooking": lines("""
        soak the beans overnight or use the ones from a jar
        fold it gently you do not want to lose the air
        i sharpen this knife about once a month
        the recipe comes from my aunt who never measures anything
        we reduce the sauce until it coats the spoon
        there is a towel under the board so it does not slide
        peel the ginger with a spoon it is easier
        the fish needs four minutes on the skin side
        let us tidy up a little while the rice is steaming"""),
    "tennis": lines("""
        new balls please and she will serve from the far end
        thirty fifteen a comfortable game so far
        he takes a towel and walks back to the baseline
        second serve kicked out wide and returned down the middle
        they have been on court for an hour and ten minutes
        slice backhand and the rally goes on
        the physio has been called but it looks like a precaution"""),
    "racing": lines("""
        the gap to the car ahead is one point eight seconds
        they are saving tyres at this stage of the race
        he lifts a little early into the chicane
        box this lap is what we heard on the radio
        the track temperature has dropped by three degrees
        nothing much between them through the middle sector
        twenty two laps to go and the order is unchanged"""),
    "hockey": lines("""
        dumped in deep and they go for a line change
        icing is called so the face off comes back
        he carries it over the blue line and waits for support
        the puck is frozen along the boards
        they have killed off most of the penalty without trouble
        shots are eleven to nine in this period"""),
}

_REACT = {
    "hype": lines("""
        shut up shut up is this real
        everybody stand up we are doing this
        i have waited three years for this moment
        look at the screen look at the screen
        boom there it is that is what i am talking about
        oh this is massive this is huge for us
        goosebumps i have goosebumps everywhere
        what on earth just happened
        we are going to the finals baby"""),
    "funny": lines("""
        my stomach hurts please somebody help me
        did the chicken just open the door by itself
        you said that with such a straight face
        i have lost it i am completely gone
        and then his hat falls into the soup
        no because who taught you to say it like that
        this is the dumbest thing and i love it
        rewind that i need to hear it again"""),
    "clutch": lines("""
        hold on hold on he does not know i am here and down he goes
        that is the last of them somehow we are alive
        three seconds left and it counts
        i cannot feel my hands we pulled it off
        by a hair that was by a hair
        all alone and she still takes it
        back from the dead would you believe it"""),
    "fail": lines("""
        and there it goes down the drain
        two hours of work in the bin
        oops that is not supposed to happen
        i forgot to save please tell me it saved
        ouch right in front of everybody
        of all the times to slip
        i trusted that ladder why did i trust that ladder
        it is upside down the whole thing is upside down"""),
    "score": lines("""
        that is the winner without a doubt
        she converts and the crowd knows it
        points on the board at long last
        over the line and he throws his arms up
        beautiful placement nobody was getting to that
        and it is level again what a reply"""),
    "rage": lines("""
        this is a joke an absolute joke
        who designed this who thought this was acceptable
        i pressed it i pressed it and nothing happened
        give me one good reason to keep playing this
        cheater he has to be cheating
        i have had enough good night
        unbelievable nonsense honestly"""),
    "wholesome": lines("""
        my grandmother is watching everyone say hello to her
        i had a really rough year and you lot carried me
        that donation pays for the whole shelter
        come here give me a hug
        he drew this for me look at how lovely that is
        five years today and you are still here
        sorry i need a minute that got to me
        they named the puppy after the channel"""),
}

_REACT_IN = {
    ("tennis", "score"): lines("""
        game set and match
        down the line for the winner and the break is hers
        ace to seal the tie break
        an extraordinary passing shot on the run"""),
    ("tennis", "hype"): lines("""
        how did she get that ball back
        the longest rally of the match and everyone is applauding"""),
    ("tennis", "fail"): lines("""
        double fault at the worst possible time
        an easy smash and it is into the net"""),
    ("tennis", "rage"): lines("""
        the racket is broken and that will be a warning
        he is arguing with the umpire about the call"""),
    ("racing", "score"): lines("""
        across the line he wins the grand prix
        he takes the lead round the outside
        pole position by four thousandths"""),
    ("racing", "fail"): lines("""
        he has spun into the gravel
        huge crash at turn one and there are cars everywhere
        the engine has gone there is smoke"""),
    ("racing", "hype"): lines("""
        side by side through three corners neither gives way
        what a move what an overtake"""),
    ("hockey", "score"): lines("""
        he shoots he scores top shelf
        tipped in front and the lamp is lit
        overtime winner and they pile onto the ice"""),
    ("hockey", "rage"): lines("""
        the gloves are off and there is a fight
        five minute major he is furious"""),
    ("hockey", "hype"): lines("""
        glove save how did he see that one
        rings off the crossbar"""),
    ("music", "wholesome"): lines("""
        i wrote that one for my dad
        all of you sang along in chat that is beautiful"""),
    ("music", "fail"): lines("""
        the string snapped in the last chorus
        completely wrong key let us pretend that was jazz"""),
    ("cooking", "hype"): lines("""
        look at that crust listen to that
        first try on the flip somebody write that down"""),
    ("cooking", "fail"): lines("""
        the lid came off the blender
        it is stuck to the pan and it is black"""),
    ("talk", "funny"): lines("""
        i cannot believe you told that story on air
        cut that out please cut that out"""),
    ("irl", "hype"): lines("""
        there are dolphins right next to the boat
        the fireworks are starting look up"""),
}

_PAST = lines("""
    the final two years ago was an incredible game of course
    my cousin went mad when she won the raffle that is an old story
    back in school i scored a hat trick once and nobody filmed it
    the crash in the spring race was awful i have seen the pictures
    i laughed so hard at that show in the nineties
    we pulled off a huge comeback here on sunday if you missed it
    winning that trophy was unreal but i have moved on since
    he used to rage a lot more in the early videos""")

_BORING = lines("""
    testing testing one two three is this louder now
    the parcel goes to number twelve not here number twelve
    i am shouting because the fan is on
    get off the keyboard off down you go
    could you bring me the charger the white charger
    who is drilling at this time of day
    yes the bins go out on thursday i told you""")

_ADVERT = lines("""
    switch your energy supplier in under five minutes
    the mattress that everyone is talking about sleep better tonight
    unbelievable deals on flights book before midnight
    now streaming the thriller critics call a stunning triumph
    build your own website without a single line of code
    please gamble responsibly eighteen and over""")

_RAID_WELCOME = lines("""
    oh hello there a whole crowd just came through the door
    cheers for bringing everyone over find a seat
    evening to the new faces we are taking it slowly tonight
    lovely to have you what did you get up to on your side""")

_PAUSE = lines("""
    kettle time see you in a few
    i need to let the dog out hang about
    intermission the timer is on the screen""")

_CHAT = ChatPhrases(
    idle=lines("""
        evening all
        first time here
        making tea
        good point
        i live near there
        depends
        we had that at school
        nah
        alright
        listening in the background
        my train is late again
        the audio is fine for me
        maybe next week
        agreed
        interesting
        i prefer the old one
        hello hello
        greetings from norway
        yep
        can confirm
        she is right though"""),
    questions=lines("""
        is this live or recorded
        which episode was that
        what are the rules here
        how much does that cost
        who is the guest
        is there a vod
        what camera is that
        are you doing one tomorrow"""),
    commands=lines("""
        !schedule
        !playlist
        !wr
        !lurk
        !recipe
        !time"""),
    bots=lines("""
        Enjoying the show? There is a newsletter
        Please keep the conversation friendly and in English
        You can find older recordings in the archive
        Next break in 20 minutes"""),
    raid=lines("""
        evening from the other channel
        party arrived
        we walked all the way
        sent by our captain
        waves
        hiya new here"""),
    giveaway=("!raffle", "!raffle", "!me", "!raffle 1", "!count"),
    paste=(
        "attention passengers the left side of the chat is now boarding please have your snacks ready",
        "as a certified potato i must inform you that this is not how potatoes behave in the wild",
    ),
    react={
        "hype": lines("""
            LETSGO
            WHAAAT
            catJAM catJAM
            that was massive
            Pog
            sheeesh
            goosebumps
            YOOO
            actual scenes
            🔥🔥🔥
            someone clip that
            EZ Clap"""),
        "funny": lines("""
            LULW
            😂😂😂
            i spat out my tea
            HAHAHA
            icant
            lmfao
            rofl
            ICANT
            bahahaha
            💀💀
            dead"""),
        "clutch": lines("""
            HOW
            he actually did it
            nerves of steel
            Clap Clap
            monkaS
            SHEESH
            ggs
            what a read
            built different
            GIGACHAD"""),
        "fail": lines("""
            ohno
            💀
            ouch
            Sadge
            o7
            that hurt to watch
            LULW
            unlucky mate
            big F
            noo not like this"""),
        "score": lines("""
            GET IN
            SCENES
            yesssss
            what a hit
            COME ONNN
            🎉🎉
            Pog
            unreal finish
            GET INNN
            Clap"""),
        "rage": lines("""
            he is fuming
            😡
            LULW
            tilted
            deep breaths
            there goes the desk
            monkaW
            cope
            salty
            robbed"""),
        "wholesome": lines("""
            ❤️
            🥹
            peepoHappy
            that is lovely
            onions
            we love you too
            peepoHug
            ❤️❤️❤️
            protect at all costs
            faith restored"""),
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
