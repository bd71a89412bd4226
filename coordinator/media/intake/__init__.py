"""Reading what comes from outside: opening, what a file declares and holds, its pictures and sound by their times.

The lowest of the media rooms: it imports none of the others.
"""
