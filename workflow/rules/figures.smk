# Figures in three formats and tables in two, all from the collected file. Their code is a parameter: editing it
# draws them anew and trains nothing.
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
        training=GRID.whole.training.model_dump(mode="json"),
    shell:
        "entropy-sums figure {wildcards.name:q} {input:q} --output {params.path:q} 2> {log:q}"


rule tables:
    input:
        f"{FOLDER}/traces.nc",
    output:
        [
            report(
                f"{FOLDER}/tables/{name}.csv",
                caption=f"../report/{name}.rst",
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
    shell:
        "entropy-sums tables {input:q} {params.names:q} --output {params.path:q} 2> {log:q}"
