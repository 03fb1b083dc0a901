# One file per job becomes one tree per study; all that follows reads only that.
rule collect:
    input:
        lambda wildcards: [GRID.trace_path(name) for name in GRID.jobs],
    output:
        f"{FOLDER}/traces.nc",
    log:
        f"{FOLDER}/logs/collect.log",
    benchmark:
        f"{FOLDER}/benchmarks/collect.tsv"
    conda:
        ENVIRONMENT
    threads: 4  # nothing else can run meanwhile, and thousands of files are read side by side
    params:
        study=STUDY,
        configuration=lambda wildcards: GRID.study.model_dump_json(),
    shell:
        "entropy-sums collect {params.study} --output {output:q} --processes {threads} 2> {log:q}"
