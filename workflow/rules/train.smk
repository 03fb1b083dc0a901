# Train a pack of runs. Its identity (settings, seeds, protocol) decides whether it is trained again.
from entropy_sums.study import plan


rule train:
    input:
        data=lambda wildcards: GRID.data_path(GRID.find(wildcards.job).data),
    output:
        f"{FOLDER}/runs/{{job}}.nc",
    log:
        f"{FOLDER}/logs/train/{{job}}.log",
    benchmark:
        f"{FOLDER}/benchmarks/train/{{job}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    # Only clusters use these. A retry requests more. Changes here do not make Snakemake run a job again.
    resources:
        mem_mb=lambda wildcards, attempt: plan.request_megabytes(
            GRID.find(wildcards.job), attempt
        ),
        runtime=lambda wildcards, attempt: plan.request_minutes(
            GRID.find(wildcards.job), attempt
        ),
    params:
        study=STUDY,
        identity=lambda wildcards: GRID.find(wildcards.job).identity,
    shell:
        "entropy-sums train {params.study} {wildcards.job:q} --data {input.data:q} --output {output:q}"
        " --identity {params.identity} --threads {threads} 2> {log:q}"
