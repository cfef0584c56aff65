"""The kept fleet: assets, what each holds, which flaws that exposes it to, and due when.

version     a component with all that can change a verdict, as a row of the dictionary
dictionary  interning versions, packages and flaws; reading them back
answer      what public records say of a version, by the same `Matcher` as `clearway match`
asset       assets, and how exposed each is, since when, and who said so
take        one inventory of one asset: what it holds, its exposures and their dates, in one transaction
inventory   inventories, and what a re-upload changed
due         dates from dated facts; dating again; replay as of any day
status      what an organisation says of its exposures; bulk acts
rule        decisions made by rule
listing     lists with facets, filters of three states and sorts; flawview, week: other readings
follow      answers and exposures follow the compiled table; what a new day changes
rematch     everything matched anew, in DuckDB or another engine with the same SQL
marked      records that not everybody may see, matched inside PostgreSQL
"""
