# A study from its file to its figures:  snakemake  |  snakemake --configfile config/studies/X.yaml
include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/certify.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"{FOLDER}/traces.nc",
        tables(".csv", ".tex"),
        rules.certify.output,
        rules.report.output,
        pictures(*SUFFIXES),
