# Write one self-contained page. `snakemake --report FILE` writes Snakemake's own, with the provenance of each file.
rule report:
    input:
        traces=f"{FOLDER}/traces.nc",
        figures=pictures(".svg"),
        tables=tables(".csv"),
        certificates=rules.certify.output,
    output:
        f"{FOLDER}/report.html",
    log:
        f"{FOLDER}/logs/report.log",
    benchmark:
        f"{FOLDER}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    params:
        study=STUDY,
        code=lambda wildcards: [
            source_digest("report", "templates"),
            *map(code, GRID.whole.catalogue.tables.values()),
        ],
    shell:
        "entropy-sums report {params.study} --output {output:q} 2> {log:q}"
