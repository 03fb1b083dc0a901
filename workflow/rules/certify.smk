# Search for certificates, which show for which models of the study the theorem holds. Needs data, but no training.
rule certify:
    input:
        lambda wildcards: [GRID.data_path(name) for name in GRID.data_names],
    output:
        table=report(
            f"{FOLDER}/tables/certificates.csv",
            caption="../report/certificates.rst",
            category="Tables",
        ),
        figure=report(
            f"{FOLDER}/figures/certificates.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "certificates", "study": GRID.whole.name},
        ),
        others=multiext(f"{FOLDER}/figures/certificates", ".pdf", ".png", ".txt"),
    log:
        f"{FOLDER}/logs/certify.log",
    benchmark:
        f"{FOLDER}/benchmarks/certify.tsv"
    conda:
        ENVIRONMENT
    params:
        study=STUDY,
        protocol=PROTOCOL,
        configuration=lambda wildcards: GRID.study.model_dump_json(),
        path=subpath(output.figure, strip_suffix=".svg"),
        code=lambda wildcards: source_digest("figures.certificates"),
    shell:
        "entropy-sums certify {params.study} --output {output.table:q} --figure {params.path:q} > {log:q} 2>&1"
