"""The countries that address forms offer."""

COUNTRIES = [
    ("AR", "Argentina"), ("AU", "Australia"), ("AT", "Austria"), ("BE", "Belgium"), ("BR", "Brazil"),
    ("BG", "Bulgaria"), ("CA", "Canada"), ("CL", "Chile"), ("CN", "China"), ("CO", "Colombia"), ("HR", "Croatia"),
    ("CY", "Cyprus"), ("CZ", "Czechia"), ("DK", "Denmark"), ("EG", "Egypt"), ("EE", "Estonia"), ("FI", "Finland"),
    ("FR", "France"), ("DE", "Germany"), ("GR", "Greece"), ("HK", "Hong Kong"), ("HU", "Hungary"), ("IS", "Iceland"),
    ("IN", "India"), ("ID", "Indonesia"), ("IE", "Ireland"), ("IL", "Israel"), ("IT", "Italy"), ("JP", "Japan"),
    ("KE", "Kenya"), ("KR", "South Korea"), ("LV", "Latvia"), ("LI", "Liechtenstein"), ("LT", "Lithuania"),
    ("LU", "Luxembourg"), ("MY", "Malaysia"), ("MT", "Malta"), ("MX", "Mexico"), ("MA", "Morocco"),
    ("NL", "Netherlands"), ("NZ", "New Zealand"), ("NG", "Nigeria"), ("NO", "Norway"), ("PE", "Peru"),
    ("PH", "Philippines"), ("PL", "Poland"), ("PT", "Portugal"), ("RO", "Romania"), ("SA", "Saudi Arabia"),
    ("RS", "Serbia"), ("SG", "Singapore"), ("SK", "Slovakia"), ("SI", "Slovenia"), ("ZA", "South Africa"),
    ("ES", "Spain"), ("SE", "Sweden"), ("CH", "Switzerland"), ("TW", "Taiwan"), ("TH", "Thailand"), ("TR", "Türkiye"),
    ("UA", "Ukraine"), ("AE", "United Arab Emirates"), ("GB", "United Kingdom"), ("US", "United States"),
    ("VN", "Vietnam"),
]  # fmt: skip

TAX_ID_TYPES = [
    ("eu_vat", "EU VAT number"), ("gb_vat", "UK VAT number"), ("us_ein", "US EIN"), ("ch_vat", "Swiss VAT number"),
    ("no_vat", "Norwegian VAT number"), ("au_abn", "Australian ABN"), ("ca_bn", "Canadian BN"),
    ("ca_gst_hst", "Canadian GST/HST number"), ("in_gst", "Indian GST number"), ("jp_cn", "Japanese corporate number"),
    ("nz_gst", "New Zealand GST number"), ("sg_gst", "Singapore GST number"), ("br_cnpj", "Brazilian CNPJ"),
    ("mx_rfc", "Mexican RFC"),
]  # fmt: skip
