# Draw figures in three formats and write tables in two, from the collected file. The digest of the code of each is a
# parameter: after an edit it is made again, and nothing is trained.
rule figure:
    input:
        f"{FOLDER}/traces.nc",
    output:
        report(
            f"{FOLDER}/figures/{{name}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda wildcards: {
                "figure": wildcards.name,
                "study": GRID.whole.name,
            },
        ),
        multiext(f"{FOLDER}/figures/{{name}}", ".pdf", ".png", ".txt"),
    log:
        f"{FOLDER}/logs/figures/{{name}}.log",
    benchmark:
        f"{FOLDER}/benchmarks/figures/{{name}}.tsv"
    conda:
        ENVIRONMENT
    params:
        path=subpath(output[0], strip_suffix=".svg"),
        code=lambda wildcards: code(GRID.whole.catalogue.figure(wildcards.name)),
        plugins=PLUGINS,
        training=GRID.whole.training.model_dump(mode="json"),
    shell:
        "entropy-sums figure {wildcards.name:q} {input:q} {params.plugins} --output {params.path:q} 2> {log:q}"


rule table:
    input:
        f"{FOLDER}/traces.nc",
    output:
        report(
            f"{FOLDER}/tables/{{name}}.csv",
            caption="../report/table.rst",
            category="Tables",
        ),
        f"{FOLDER}/tables/{{name}}.tex",
    log:
        f"{FOLDER}/logs/tables/{{name}}.log",
    benchmark:
        f"{FOLDER}/benchmarks/tables/{{name}}.tsv"
    wildcard_constraints:
        name="|".join(GRID.whole.tables),
    conda:
        ENVIRONMENT
    params:
        path=subpath(output[0], parent=True),
        caption=lambda wildcards: GRID.whole.catalogue.tables[wildcards.name].caption,
        code=lambda wildcards: code(GRID.whole.catalogue.tables[wildcards.name]),
        plugins=PLUGINS,
    shell:
        "entropy-sums tables {input:q} {wildcards.name:q} {params.plugins} --output {params.path:q} 2> {log:q}"
