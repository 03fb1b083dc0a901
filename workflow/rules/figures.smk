# Draw figures in three formats and write tables in two, from the collected file. The digest of their code is a
# parameter: after an edit they are made again, and nothing is trained.
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
        code=source_digest("figures", "analysis", "tables"),
        plugins=PLUGINS,
        plugin_code=lambda wildcards: GRID.whole.catalogue.figure(
            wildcards.name
        ).source,
        training=GRID.whole.training.model_dump(mode="json"),
    shell:
        "entropy-sums figure {wildcards.name:q} {input:q} {params.plugins} --output {params.path:q} 2> {log:q}"


rule tables:
    input:
        f"{FOLDER}/traces.nc",
    output:
        [
            report(
                f"{FOLDER}/tables/{name}.csv",
                caption=(
                    "../report/table.rst"
                    if name in GRID.whole.catalogue.tables
                    else f"../report/{name}.rst"
                ),
                category="Tables",
            )
            for name in GRID.whole.tables
        ],
        expand(f"{FOLDER}/tables/{{name}}.tex", name=GRID.whole.tables),
    log:
        f"{FOLDER}/logs/tables.log",
    benchmark:
        f"{FOLDER}/benchmarks/tables.tsv"
    conda:
        ENVIRONMENT
    params:
        path=subpath(output[0], parent=True),
        names=GRID.whole.tables,
        code=source_digest("figures", "analysis", "tables"),
        plugins=PLUGINS,
        plugin_code=[t.source for t in GRID.whole.catalogue.tables.values()],
    shell:
        "entropy-sums tables {input:q} {params.names:q} {params.plugins} --output {params.path:q} 2> {log:q}"
