"""What a site says to its reader in place of, or between, the paragraphs of an article: paywalls, consent, scripts.

A piece is a prompt only if all of its sentences are. Each pattern covers a whole sentence, with room for a few words.
"""

import re

REPORTING_VERB = (
    r"\b(?:said|says|saying|told|announced|according to|reported|added|claimed|claims|warned|confirmed|denied|insisted|"
    r"stated|recalled|asked|wrote|replied|explained|shouted|cried|read|sagte)\b"
)
# A sentence with a verb like these tells what somebody else has to tell, and is no prompt.
_REPORTED = re.compile(rf"[,”\"’]\s+(?:[\w’'-]+\s+){{0,6}}{REPORTING_VERB}", re.IGNORECASE)
_MOST_SENTENCES = 8
_SENTENCE = re.compile(r"[^.!?]+(?:[.!?]+|$)\s*")
_SUBSCRIPTION = (
    r"(?:newsletters?|briefings?|inbox|subscriptions?|subscribers?|accounts?|e-?mail|alerts?|updates|unlimited|"
    r"full access|premium|membership|app|podcast|free trial|whatsapp|telegram|channel|digital edition)"
)
_FEW = r"[^.!?]{0,60}"
_SOME = r"[^.!?]{0,120}"
_CONTENT = r"(?:articles?|stor(?:y|ies)|pages?|contents?|posts?|reports?|site|website)"

_PROMPTS = (
    # Paywalls
    rf"(?:this|the (?:full|rest of the|remainder of the)) (?:premium |exclusive )?{_CONTENT} (?:is|are) (?:only |exclusively |reserved )*"
    rf"(?:available |accessible |open |visible )?(?:to|for|only to|only for) (?:our |paying |registered |premium |digital )*(?:subscribers|members|readers|users)(?! of){_FEW}",
    rf"(?:already|not yet|are you) (?:a |an |our )?(?:digital |paying )?(?:subscribers?|members?|subscribed|registered|have an account|logged in){_FEW}",
    r"(?:don[’']?t|do you) (?:already )?have an account(?: yet)?|have an account|already have an account|new here|not a (?:member|subscriber)(?: yet)?",
    r"(?:please )?(?:log ?in|sign ?in|sign ?up|register|subscribe|join|create (?:a|an|your) (?:free )?account)(?: or (?:log ?in|sign ?in|sign ?up|register|subscribe|create (?:a|an|your) (?:free )?account))?"
    rf"(?: (?:to|for|now|today|here|free|and)\b)* ?(?:to )?(?:(?:continue|keep|start)(?: reading)?|reading|read(?: on| more| the full {_CONTENT}| this {_CONTENT})?|comment|view|access|unlock|see)?(?: (?:the|this|our|your|all|full|rest of the|{_CONTENT}|comments?)){{0,5}}",
    rf"(?:subscribe|sign up|join|register|log in|sign in)\b[^.!?]*\b{_SUBSCRIPTION}\b{_SOME}",
    rf"(?:to (?:continue|keep|go on) reading|to read (?:on|more|the (?:full|rest|whole)|this {_CONTENT}|the {_CONTENT})){_FEW}(?:subscribe|log in|sign in|sign up|register|account|subscription|subscriber|member){_FEW}",
    rf"(?:get|enjoy|unlock|buy|start|try|take out|choose|claim) (?:your |a |an |our )?(?:instant |free |full |unlimited |all |digital |first |exclusive |premium |monthly |annual )*(?:access|trial|subscription|membership|month|months){_SOME}",
    rf"you(?:[’']ve| have)(?: now)? (?:reached|read|used|viewed|hit|exceeded) (?:your|all|the|\d+|one|two|three|four|five) [^.!?]{{0,30}}(?:limit|articles|stories|views){_FEW}",
    rf"you have \d+ (?:free )?(?:articles?|stories) (?:left|remaining){_FEW}",
    rf"(?:subscribe|subscriptions?|plans?) (?:from|for) (?:only |just )?[$€£]?\d{_FEW}",
    rf"(?:only|just|from)? ?[$€£]\d[\d.,]*(?: ?(?:a|per|/) ?(?:week|month|year|mo|yr)){_FEW}",
    rf"unlock (?:this|the (?:full|rest)|more|all|unlimited){_FEW}|cancel (?:at )?any ?time{_FEW}|start your free trial{_FEW}|no (?:commitment|credit card)(?: required)?",
    rf"(?:this|the) {_CONTENT} (?:is|has been) (?:locked|behind (?:a|our) paywall|not available{_FEW})|(?:premium|subscriber[- ]only|members[- ]only|exclusive)(?: {_CONTENT})?(?: for subscribers)?",
    rf"(?:support|help|fund|back|donate to|contribute to) (?:us|our|independent|quality|public[- ]interest|free)(?: \w+){{0,3}} (?:journalism|newsroom|reporting|work|reporters){_SOME}",
    rf"(?:we|our journalism|our newsroom) (?:rely|relies|depend|depends|need|needs) (?:on )?(?:your|readers|support){_SOME}|(?:please )?consider (?:a donation|donating|subscribing|becoming a (?:member|subscriber)|supporting us){_SOME}",
    rf"thank you for (?:reading|visiting|subscribing|signing up){_FEW}",
    rf"(?:please )?(?:check|enter|confirm) your (?:e-?mail|inbox|password){_SOME}",
    r"(?:enjoying|enjoyed|like|liked|love|loved) (?:this|what you)(?: \w+){0,4}|(?:continue|log in|sign in|sign up) with (?:google|apple|facebook|e-?mail|x)|read (?:this|the full|more)(?: \w+){0,3} (?:in|on|with) (?:our|the) app",
    # Consent
    rf"(?:we|this (?:site|website)|our (?:site|sites|website)|{_FEW}and (?:its|our) partners) (?:and (?:our|its) (?:\d+ )?(?:partners|vendors) )?(?:uses?|store|stores|process|set) (?:and/or access |and access |or access )?(?:cookies|information|data|personal data|necessary cookies|similar){_SOME}",
    rf"we (?:value|respect|care about|take) your privacy{_FEW}|your privacy(?: (?:matters|is important)(?: to us)?| choices| settings)?|privacy (?:settings|preferences|choices|notice)|cookie (?:settings|preferences|policy|notice|consent)",
    rf"(?:we (?:need|ask for|would like) your consent|your consent){_SOME}|(?:please )?(?:accept|reject|allow|manage|customi[sz]e|change) (?:all |our |your |only )?(?:necessary |optional |essential )?(?:cookies?|(?:cookie|privacy|consent) (?:settings|preferences|choices)){_SOME}",
    r"(?:accept|reject|decline|allow) all(?: and (?:close|continue|visit the site))?|(?:i agree|agree|accept) and (?:close|continue)|manage (?:options|preferences|choices|settings|consent)",
    rf"by (?:continuing|clicking|using|browsing|signing up|subscribing|submitting|registering|closing){_SOME}\byou (?:agree|accept|consent|acknowledge){_SOME}",
    rf"by (?:continuing|clicking)(?: \w+){{0,4}},? we assume (?:that )?you (?:agree|accept){_FEW}",
    rf"you can (?:change|withdraw|manage|revoke|update|unsubscribe)(?: \w+){{0,6}} (?:at any time|consent|preferences|settings|choices|cookies){_FEW}|(?:you can )?unsubscribe (?:at )?any ?time{_FEW}",
    rf"cookies (?:help us|are (?:used|small|necessary)|allow us|enable us){_SOME}|this (?:site|website) is protected by recaptcha{_SOME}",
    # Scripts, browsers, errors
    rf"(?:please |you (?:need|must|have) to |to {_FEW}, (?:please )?|kindly )?(?:enable|turn on|activate|allow|switch on) (?:javascript|js|cookies|scripts?)\b{_SOME}",
    rf"(?:javascript|js|cookies) (?:is|are|must be|has to be|seems to be|appears to be|needs to be)(?: \w+)? (?:disabled|required|enabled|turned off|needed|not (?:enabled|available|supported)|blocked){_SOME}",
    rf"(?:this|the|our) (?:site|website|page|app|application|feature|content|video|player) (?:requires?|needs|works best with|does not work without|won[’']t work without) (?:javascript|cookies|a modern browser|an internet){_SOME}",
    rf"your browser (?:does not|doesn[’']t|is (?:out of date|not supported|outdated)|has)\b{_SOME}|(?:please )?(?:upgrade|update|use) (?:to )?(?:your|a (?:modern|different|supported)|the latest) (?:web )?(?:browser|version){_SOME}",
    rf"(?:please )?(?:disable|turn off|pause|switch off|whitelist|allow)(?: \w+){{0,3}} (?:ad ?-?blockers?|ads|adblock)\b{_SOME}|(?:we (?:have )?(?:noticed|detected)|it (?:looks like|seems|appears)) (?:that )?you(?:[’']re| are)? (?:using|have|use)(?: \w+){{0,3}} (?:ad ?-?block\w*|old browser|outdated browser|vpn)\b{_SOME}",
    rf"checking (?:if the site connection is secure|your browser{_FEW})|(?:please )?(?:verify|confirm|prove) (?:that )?you (?:are|[’']re) (?:a )?(?:human|not a robot){_FEW}|are you (?:a )?(?:robot|human)|i[’']?m not a robot|ray id{_FEW}",
    rf"(?:access denied|page not found|error \d+|404(?: not found)?|403 forbidden|(?:sorry|oops)[,!]? (?:something went wrong|(?:this|the) {_CONTENT}{_SOME}|an error{_FEW}))",
    rf"(?:this|the) (?:content|video|page|media|playback|player) (?:is not|isn[’']t|could not be|cannot be|can[’']t be) (?:available|loaded|played|displayed|supported){_SOME}|(?:something went wrong|an error (?:has )?occurred){_FEW}",
    rf"(?:please )?(?:try (?:again|reloading)|reload (?:the|this) page|refresh (?:the|this|your) (?:page|browser))(?: later)?{_FEW}|please wait(?: a moment| while{_FEW})?|loading(?: {_CONTENT}| comments| more)?",
    rf"(?:to|in order to) (?:view|see|watch|use|run) this (?:video|page|app|site|content|application|website){_SOME}|allow .{{1,40}} content\??|this (?:article|page) (?:contains|includes) content (?:provided by|from) .{{1,40}}",
    rf"we ask for your permission before anything is loaded{_SOME}|to view this content, click{_FEW}",
)  # fmt: skip
_PROMPT = re.compile("|".join(f"(?:{pattern})" for pattern in _PROMPTS), re.IGNORECASE)


def is_prompt(piece: str) -> bool:
    """Whether a piece of at most some forty words is a request of the site to its reader, and nothing else."""
    if _REPORTED.search(piece):
        return False
    sentences = [match[0].strip().rstrip(".!?…: →>»") for match in _SENTENCE.finditer(piece)]
    return 0 < len(sentences) <= _MOST_SENTENCES and all(
        not sentence or _PROMPT.fullmatch(sentence) for sentence in sentences
    )
