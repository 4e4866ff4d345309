"""Writes countries.tsv and operators.tsv; see README.md. Usage: make.py mcc-mnc-list.json"""
import json
import re
import sys

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, carrierdata
from phonenumbers.geodata.locale import LOCALE_DATA

# Digits of a prefix at most: longer ones are blocks within operators, and portability has long mixed those.
LONGEST = 6


def words(name):
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).split()


def networks(path):
    """Country code -> what operational networks are called, with their codes."""
    found = {}
    for one in json.load(open(path)):
        if one["mcc"] and one["mnc"] and one["status"] == "Operational" and one["type"] == "National":
            code = one["mcc"] + one["mnc"]
            if re.fullmatch(r"\d{5,6}", code):
                for name in (one["brand"], one["operator"]):
                    if name:
                        found.setdefault((one["countryCode"] or "")[:2], []).append((words(name), code))
    return found


def network(known, country, operator):
    """The code of an operator: the first whose name agrees, without the country's, in its first word."""
    plain = [w for w in words(operator) if w not in words(country)] or words(operator)
    for test in (lambda name: name == words(operator), lambda name: name[:1] == plain[:1]):
        for name, code in known:
            if test(name):
                return code
    return ""


def country_of(prefix):
    """The region of numbers that begin so; None where that is not one."""
    code = next((prefix[:n] for n in (1, 2, 3) if int(prefix[:n]) in COUNTRY_CODE_TO_REGION_CODE), None)
    if code is None:
        return None
    regions = [r for r in COUNTRY_CODE_TO_REGION_CODE[int(code)] if r != "001"]
    if len(regions) == 1:
        return regions[0]
    national = prefix[len(code):]
    if not national:
        return None
    fitting = [r for r in regions if fits(r, national)]
    return fitting[0] if fitting else None


def fits(region, national):
    meta = PhoneMetadata.metadata_for_region(region)
    if meta.leading_digits:
        return re.match(meta.leading_digits, national) is not None
    for length in meta.general_desc.possible_length:
        for fill in "2345678901":
            number = national + fill * (length - len(national))
            if re.fullmatch(meta.mobile.national_number_pattern or "x", number):
                return True
    return False


def lengths(region):
    """Which lengths numbers of mobile phones have, without the country's code."""
    meta = PhoneMetadata.metadata_for_region(region)
    found = meta.mobile.possible_length if meta.mobile and meta.mobile.possible_length else ()
    found = [n for n in found if n > 0] or [n for n in meta.general_desc.possible_length if n > 0]
    return ",".join(map(str, sorted(set(found))))


def name(region):
    names = LOCALE_DATA.get(region, {})
    found = names.get("en", "")
    return names[found[1:]] if found.startswith("*") else found


def merged(table):
    """The same answers with fewer rows: ten children that say the same become their parent."""
    for size in range(max(map(len, table)), 1, -1):
        for parent in sorted({key[:-1] for key in table if len(key) == size}):
            children = [table.get(parent + digit) for digit in "0123456789"]
            if children[0] is not None and len(set(children)) == 1:
                for digit in "0123456789":
                    del table[parent + digit]
                table[parent] = children[0]
    for key in sorted(table, key=len, reverse=True):
        shorter = next((key[:n] for n in range(len(key) - 1, 0, -1) if key[:n] in table), None)
        if shorter and table[shorter] == table[key]:
            del table[key]
    return table


known = networks(sys.argv[1])
table = {}
for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
    regions = [r for r in regions if r != "001"]
    prefixes = [str(code)]
    if len(regions) > 1:
        prefixes += [f"{code}{n:0{digits}}" for digits in (1, 2, 3) for n in range(10**digits)]
    for prefix in prefixes:
        region = regions[0] if len(regions) == 1 or prefix == str(code) and regions else country_of(prefix)
        if region and name(region):
            table[prefix] = (region, "", "")
for prefix, names in carrierdata.CARRIER_DATA.items():
    region = country_of(prefix)
    if region and "en" in names and name(region):
        table[prefix] = (region, names["en"], network(known.get(region, []), name(region), names["en"]))
table = merged({prefix: row for prefix, row in table.items() if len(prefix) <= LONGEST})
groups = {}
for prefix in sorted(table):
    groups.setdefault(table[prefix], []).append(prefix)
with open("operators.tsv", "w") as file:
    for (region, operator, plmn), prefixes in sorted(groups.items()):
        print(region, operator, plmn, " ".join(prefixes), sep="\t", file=file)
with open("countries.tsv", "w") as file:
    for region in sorted({region for region, _, _ in groups}):
        print(region, name(region), phonenumbers.country_code_for_region(region), lengths(region), sep="\t", file=file)
