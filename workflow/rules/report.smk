# One self-contained page. `snakemake --report FILE` makes Snakemake's own, with the provenance of every file.
rule report:
    input:
        traces=f"{FOLDER}/traces.nc",
        figures=pictures(".svg"),
        table=rules.tables.output,
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
        code=source_digest("report.py", "templates", "figures", "analysis", "tables"),
    shell:
        "entropy-sums report {params.study} --output {output:q} 2> {log:q}"
