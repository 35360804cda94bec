from pipelines.language.stage import main

raise SystemExit(main())
