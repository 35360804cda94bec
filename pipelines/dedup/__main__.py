from pipelines.dedup.stage import main

raise SystemExit(main())
