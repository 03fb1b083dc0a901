# Collect the trace files of all jobs in one tree per study. All later rules read only this file.
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
    threads: 4  # no other rule can run meanwhile, and thousands of files are read in parallel
    params:
        study=STUDY,
        configuration=lambda wildcards: GRID.study.model_dump_json(),
    shell:
        "entropy-sums collect {params.study} --output {output:q} --processes {threads} 2> {log:q}"
