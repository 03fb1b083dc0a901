# Data are made where Snakemake runs, because compute nodes may have no network.
localrules:
    data,


rule data:
    input:
        lambda wildcards: GRID.dataset(wildcards.name).files,
    output:
        f"{FOLDER}/data/{{name}}.nc",
    log:
        f"{FOLDER}/logs/data/{{name}}.log",
    benchmark:
        f"{FOLDER}/benchmarks/data/{{name}}.tsv"
    conda:
        ENVIRONMENT
    params:
        study=STUDY,
        protocol=PROTOCOL,
        settings=lambda wildcards: GRID.dataset(wildcards.name).model_dump_json(),
    shell:
        "entropy-sums data {params.study} {wildcards.name:q} --output {output:q} 2> >(tee {log:q} >&2)"
