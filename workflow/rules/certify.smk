# For which models of the study the theorem holds, before and beside all training.
rule certify:
    input:
        lambda wildcards: [GRID.data_path(name) for name in GRID.data_names],
    output:
        report(
            f"{FOLDER}/tables/certificates.csv",
            caption="../report/certificates.rst",
            category="Tables",
        ),
    log:
        f"{FOLDER}/logs/certify.log",
    benchmark:
        f"{FOLDER}/benchmarks/certify.tsv"
    conda:
        ENVIRONMENT
    params:
        study=STUDY,
        protocol=PROTOCOL,
        configuration=GRID.study.model_dump_json(),
    shell:
        "entropy-sums certify {params.study} --output {output:q} > {log:q} 2>&1"
