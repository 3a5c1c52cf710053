"""Fictitious borrowers, exported as Wise does: the same on every run, with known answers.

Semicolons, CR LF and Windows-1252, as a spreadsheet leaves such a file. `J` or `N` in the column Nieuwsbrief is the
borrower's answer on the registration form; empty is none.
"""

import random

HEADER = [
    "Klantnummer", "Voorletters", "Roepnaam", "Voorvoegsel", "Achternaam", "Emailadres", "Emailadres JN",
    "Vestiging", "Abonnement", "Nieuwsbrief",
]
GROUP = "e-Book abonnement"

# Answer on the form: how many borrowers gave it, and how many of them are in the group of e-book readers.
ANSWERS = {"J": (150, 30), "N": (50, 6), "": (26, 4)}
UNUSABLE = ["lener-zonder-apenstaart", "", "twee@@lener.example", "@lener.example", "met spatie@lener.example"]
REPEATED = 8

GIVEN = ["Anna", "Bram", "Chloé", "Daan", "Esmée", "Fenna", "Gijs", "Hanna", "Ilse", "Joris", "Loïs", "Noor", "Zoë"]
INFIX = ["", "", "", "van", "de", "van der", "ter"]
FAMILY = ["Akkerman", "Boersma", "Dijkhuis", "Ekenhuis", "Hüls", "Kramer", "Meijer", "Oosting", "Veldman", "Wolters"]
BRANCHES = ["Noord", "Zuid", "Centrum"]


def people():
    """All borrowers with a usable address, each once, in the order of the export."""
    chance = random.Random(20)
    rows = []
    for answer, (count, readers) in ANSWERS.items():
        for index in range(count):
            given = chance.choice(GIVEN)
            rows.append({
                "Voorletters": given[0] + ".", "Roepnaam": given, "Voorvoegsel": chance.choice(INFIX),
                "Achternaam": chance.choice(FAMILY), "Emailadres JN": "J", "Vestiging": chance.choice(BRANCHES),
                "Abonnement": GROUP if index < readers else "Basis", "Nieuwsbrief": answer,
            })
    # One reader whose name nobody wrote down: the job's "defaults" must fill it in.
    rows[0].update({"Voorletters": "", "Roepnaam": "", "Voorvoegsel": "", "Achternaam": ""})
    chance.shuffle(rows)
    for index, row in enumerate(rows):
        row["Klantnummer"] = f"2X{100_000 + index}"
        row["Emailadres"] = f"lener{index + 1:03}@lener.example"
    return rows


def everyone(borrowers):
    """The whole export: also rows without a usable address, one with a column too many, and repeated borrowers."""
    chance = random.Random(21)
    rows = [[row[name] for name in HEADER] for row in borrowers]
    for original in chance.sample(borrowers, REPEATED):
        again = dict(original, Klantnummer="2X9" + original["Klantnummer"][3:],
                     Emailadres=original["Emailadres"].upper())
        rows.append([again[name] for name in HEADER])
    bad = [["2X80000" + str(index), "X.", "", "", "Onbekend", address, "J", "Noord", "Basis", "J"]
           for index, address in enumerate(UNUSABLE)]
    bad.append(["2X800009", "X.", "", "", "Onbekend", "lener900@lener.example", "J", "Noord", "Basis", "J", "te veel"])
    for row in bad:
        rows.insert(chance.randrange(len(rows)), row)
    return rows


def readers(borrowers):
    """The export of those with an e-book subscription."""
    return [[row[name] for name in HEADER] for row in borrowers if row["Abonnement"] == GROUP]


def csv(rows):
    """The bytes of a file; no field of this list needs quotation marks."""
    return "".join(";".join(row) + "\r\n" for row in [HEADER] + rows).encode("cp1252")
