"""English function words: they hold sentences together, and their vectors only repeat what stands around them.

Negations and modal verbs (not, never, must, should) are left out on purpose: they can decide about a frame.
"""

_LISTED = """
a an the this that these those such
i me my mine we us our ours you your yours he him his she her hers it its they them their theirs
myself ourselves yourself yourselves himself herself itself themselves
who whom whose which what when where why how
and or but nor so yet for if then than as because while whereas although though since until unless whether
of in on at by to from with into onto upon over under about above below between among amongst through throughout
during before after across along around behind beside besides beyond near off out up down via per within toward towards
be am is are was were been being
do does did doing done have has had having
it's that's there's he's she's what's who's i'm you're we're they're i've you've we've they've
i'll you'll we'll they'll i'd you'd he'd she'd we'd they'd
there here also just very too quite rather some any each every both all other another same own more most much many few
"""

FUNCTION_WORDS = frozenset(_LISTED.split())
